"""The document tells the truth: generated requests to every operation get documented answers, never a 5xx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from demo_client import Studio, open_studio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from demo.store.messages import REFUSALS

DOCUMENTATION = Path(__file__).parent.parent / "docs" / "reference" / "api.md"
COMPATIBLE = DOCUMENTATION.with_name("compatible.md")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    rates = dict.fromkeys(("rate_writes", "rate_reads", "rate_newcomers", "rate_address"), "100000/minute")
    folder = tmp_path_factory.mktemp("openapi")
    studio = open_studio(folder, queue=100_000, jobs_per_owner=50_000, step_seconds=0.0, a1111="loopback", **rates)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def identity(studio: Studio) -> dict[str, str]:
    """A person with things, and their ids."""
    person = studio.person()
    done = person.finished("원피스", n=1, visibility="public")
    return {"token": person.post("/me/tokens", {"name": "t"}).json["token"], "generation_id": done["id"],
            "image_id": done["images"][0]["id"],
            "collection_id": person.post("/closet", {"name": "t"}).json["id"]}  # fmt: skip


CHECKS = [checks.not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_every_operation_answers_as_documented(studio: Studio, identity: dict[str, str]) -> None:
    document = schemathesis.openapi.from_wsgi("/openapi.json", studio.app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        if operation.label != "DELETE /api/v1/me":  # its own test; here it would take the token away
            _try_out(operation, identity)


def _try_out(operation: object, identity: dict[str, str]) -> None:
    """Send requests that fit the operation's schema; half of them name things that exist."""

    @given(case=operation.as_strategy(), real=st.booleans())
    @settings(max_examples=10, deadline=None, derandomize=True, phases=(Phase.generate,), database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def send(case: object, real: bool) -> None:
        for name in ("generation_id", "image_id", "collection_id"):
            if real and name in (case.path_parameters or {}) and case.method != "DELETE":
                case.path_parameters[name] = identity[name]
        headers = {"Authorization": f"Bearer {identity['token']}"}
        case.call_and_validate(base_url="http://localhost", headers=headers, checks=CHECKS)

    send()


def test_every_route_and_code_is_written_down(studio: Studio) -> None:
    written = DOCUMENTATION.read_text(encoding="utf-8")
    spec = studio.person().get("//openapi.json").json
    assert spec["openapi"].startswith("3.1")
    for path in spec["paths"]:
        short = re.sub(r"\{[a-z_]+\}", "{id}", path.removeprefix("/api/v1")).replace("previews/{id}", "previews/{i}")
        assert short in (written if not path.startswith("/sdapi/") else COMPATIBLE.read_text(encoding="utf-8")), path
    for code in REFUSALS:
        assert f"`{code}`" in written, code


def test_the_documentation_page_loads_nothing_from_elsewhere(studio: Studio) -> None:
    page = studio.person().get("//docs").text
    assert "/api/v1/generations" in page and not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "<script" not in page


def test_the_document_says_what_is_checked(studio: Studio) -> None:
    spec = studio.person().get("//openapi.json").json
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            answers, parameters = operation["responses"], operation.get("parameters", [])
            assert {"413", "414", "431"} <= set(answers), (method, path)
            assert operation.get("requestBody", {"required": True})["required"], (method, path)
            for parameter in parameters:
                schema = parameter["schema"]
                if parameter["in"] == "path":
                    assert schema.get("pattern") or schema.get("maximum"), (path, parameter["name"])
                elif parameter["in"] == "header":
                    assert schema["pattern"], (path, parameter["name"])
    key = spec["paths"]["/api/v1/generations"]["post"]["parameters"][0]["schema"]
    assert key == {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]{1,200}$"}
