"""The page's types say what the API answers: demo/web/types.d.ts beside the OpenAPI document, field by field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from demo_client import open_studio

from demo.web import pages

TYPES = pages.HERE / "types.d.ts"
SCHEMAS = {
    "Carried": "Uploaded.CarriedOut", "Uploaded": "Uploaded",
    "Note": "GenerationOut.Note", "Picture": "ImagePage.ImageOut", "Progress": "GenerationOut.Progress",
    "Past": "SearchOut.Similar", "Generation": "GenerationOut", "Accepted": "Accepted", "GenerationPage": "Page",
    "PicturePage": "ImagePage", "Found": "SearchOut", "Suggestion": "Suggestions.Suggestion",
    "UnknownWord": "AnalysisOut.UnknownWord", "ReadAs": "AnalysisOut.ReadAs", "Analysis": "AnalysisOut", "Me": "Me",
    "Receipt": "ReceiptOut", "StyleOffer": "Styles.Style",
    "ImageInfo": "ImageInfo", "Relative": "ImageInfo.Relative", "PictureWords": "PictureWords",
    "EditableWord": "PictureWords.EditableWord", "Alternative": "PictureWords.Alternative",
    "Addition": "PictureWords.Addition",
    "Item": "PicturePage.PictureOut", "ListPage": "PicturePage", "Collection": "ClosetOut.CollectionOut",
    "Closet": "ClosetOut", "Post": "PostOut", "Fabric": "FabricOut", "Labelled": "FabricOut.Labelled",
}  # fmt: skip
BASIC = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    studio = open_studio(tmp_path_factory.mktemp("types"), worker=False)
    document = studio.app.test_client().get("/openapi.json").json
    studio.close()
    return document["components"]["schemas"]


def interfaces() -> dict[str, dict[str, str]]:
    """Every interface of the types file: its fields and how they are typed."""
    source = re.sub(r"/\*\*.*?\*/", "", TYPES.read_text(encoding="utf-8"), flags=re.S)
    found = re.findall(r"^export interface (\w+)(?: extends \w+)? \{\n(.*?)^\}", source, re.S | re.M)
    return {name: dict(re.findall(r"^  (\w+)\??: (.+);$", body, re.M)) for name, body in found}


def kinds(schema: dict) -> set[str]:
    """What a schema allows, in the words of TypeScript; other objects by `object`."""
    if "anyOf" in schema:
        return set().union(*(kinds(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return {f'"{value}"' for value in schema["enum"]}
    if schema.get("type") == "array":
        return {"array"}
    return {"null" if schema.get("type") == "null" else BASIC.get(str(schema.get("type")), "object")}


def declared(written: str) -> set[str]:
    """What a type of the file allows, in the same words."""
    if written.endswith("[]"):
        return {"array"}
    if written.startswith("Record<"):
        return {"object"}
    return {part if part in {*BASIC.values(), "null"} or part[0] == '"' else "object" for part in written.split(" | ")}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_shape_of_the_page_is_the_apis(schemas: dict[str, dict], name: str) -> None:
    answered = schemas[SCHEMAS[name]]["properties"]
    fields = interfaces()[name]
    assert fields, "no fields were found"
    for field, written in fields.items():
        assert field in answered, f"{name}.{field} is in types.d.ts and in no answer"
        assert declared(written) == kinds(answered[field]), f"{name}.{field}"


def test_types_are_checked_and_never_sent(schemas: dict[str, dict]) -> None:
    settings = Path(__file__).parent / "typescript"
    assert '"strict": true' in (settings / "tsconfig.json").read_text()
    assert "http" not in (settings / "package-lock.json").read_text()  # no registry by name
    assert not list(pages.STATIC.glob("*.ts"))
