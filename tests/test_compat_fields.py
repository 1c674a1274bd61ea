"""The tables of docs/reference/compatible.md say what the code does with each field. To write them anew:
`python tests/test_compat_fields.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from demo.web.compat import a1111_schemas, openai_schemas
from demo.web.compat.fields import treatments

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "reference" / "compatible.md"
TABLE = re.compile(r"<!-- table: ([\w ]+) -->\n(.*?)<!-- /table -->", re.DOTALL)
MODELS: dict[str, type[BaseModel]] = {
    name: model
    for module in (openai_schemas, a1111_schemas)
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


def table(names: str) -> str:
    rows = [row for name in names.split() for row in treatments(MODELS[name])]
    lines = ["| field | | |", "|---|---|---|", *(f"| `{name}` | {each.how} | {each.note} |" for name, each in rows)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("names", [found[1] for found in TABLE.finditer(DOCUMENT.read_text("utf-8"))])
def test_a_table_of_fields_says_what_the_code_does(names: str) -> None:
    written = next(found[2] for found in TABLE.finditer(DOCUMENT.read_text("utf-8")) if found[1] == names)
    assert written == table(names), "python tests/test_compat_fields.py writes the tables anew"


@pytest.mark.parametrize("environment", ["openai2", "openai3"])
def test_every_field_that_the_clients_know_has_a_place(environment: str) -> None:
    """The packages' own request types, read from their source where they are installed."""
    types = next(
        (DOCUMENT.parent.parent.parent / ".clients" / environment).glob("lib/*/site-packages/openai/types"), None
    )
    if types is None:
        pytest.skip(f"no environment {environment}: make clients")
    for file, names in [("image_generate_params", "GenerateRequest"), ("image_edit_params", "EditRequest EditFiles"),
                        ("image_create_variation_params", "VariationRequest VariationFiles")]:  # fmt: skip
        source = re.sub(
            r"class (Svg|SvgReasoning)\(.*?(?=\nclass |\Z)", "", (types / f"{file}.py").read_text(), flags=re.DOTALL
        )
        known = set(re.findall(r"^    ([a-z_]+): ", source, re.MULTILINE))
        assert known <= {name for each in names.split() for name, _ in treatments(MODELS[each])}


if __name__ == "__main__":
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(
        TABLE.sub(lambda found: f"<!-- table: {found[1]} -->\n{table(found[1])}<!-- /table -->", text), "utf-8"
    )
