"""What deploy/ holds is valid by its tools' own rules, and names only settings that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from demo.store.settings import Settings

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
FOREIGN = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "PGDATA", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD",
           "S3_ACCESS_KEY", "S3_SECRET_KEY", "CUDA_VISIBLE_DEVICES"}  # fmt: skip
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def documents() -> Iterator[tuple[str, dict]]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml*")):  # the example of a secret, too
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def test_the_kubernetes_files_follow_the_schemas_of_their_version() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    kinds = []
    for _, document in documents():
        validate.validate(document, "1.31", strict=True)
        kinds.append(document["kind"])
    assert {"Deployment", "StatefulSet", "Service", "ConfigMap", "Secret", "PodDisruptionBudget"} == set(kinds)


def test_services_in_kubernetes_find_their_pods() -> None:
    labels = [d["spec"]["template"]["metadata"]["labels"] for _, d in documents() if "template" in d.get("spec", {})]
    for name, document in documents():
        if document["kind"] == "Service":
            assert document["spec"]["selector"] in labels, name


def test_the_compose_file_is_valid() -> None:
    compose_spec = pytest.importorskip("compose_spec")
    text = (DEPLOY / "compose.yaml").read_text()
    plain = yaml.safe_dump({name: part for name, part in yaml.safe_load(text).items() if not name.startswith("x-")})
    compose_spec.PyCompose.from_yaml(plain).validate()
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"web", "worker", "postgres", "redis", "s3", "bucket"}
    for service in services.values():
        for other in service.get("depends_on", {}):
            assert other in services


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_units(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is absent: on Debian, apt-get install systemd")
    copy = tmp_path / unit.name.replace("@", "@0")
    program = shutil.which("true")
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={program}", unit.read_text(), flags=re.MULTILINE))
    ran = subprocess.run(["systemd-analyze", "verify", copy], check=False, capture_output=True, text=True)
    ours = [line for line in ran.stderr.splitlines() if unit.name.partition("@")[0].removesuffix(".service") in line]
    assert not [line for line in ours if "Unknown" in line or "Invalid" in line or "Failed to parse" in line], ours


def test_only_settings_that_are_there_are_set() -> None:
    known = {name.upper() for name in Settings.model_fields} | FOREIGN
    named: set[str] = set()
    for path in sorted(DEPLOY.rglob("*.y*ml*")) + sorted(DEPLOY.rglob("*.example")) + UNITS:
        text = path.read_text()
        named |= set(re.findall(r"^\s*(?:- \{name: )?([A-Z][A-Z0-9_]{3,})(?:=|: |,)", text, flags=re.MULTILINE))
        for line in re.findall(r"^Environment=(.*)$", text, flags=re.MULTILINE):
            named |= {pair.partition("=")[0] for pair in line.split()}
    unknown = {name for name in named - known if not name.startswith("AWS_")}
    assert named >= {"DATABASE_URL", "QUEUE_URL", "INDEX_URL", "STORAGE_URL", "WORKERS"} and unknown == set()


def test_the_example_of_a_secret_is_left_out_where_the_folder_is_applied() -> None:
    """kubectl apply -f FOLDER reads what ends in .yaml, .yml or .json: an empty secret would replace the filled one."""
    applied = [path for path in (DEPLOY / "kubernetes").iterdir() if path.suffix in (".yaml", ".yml", ".json")]
    kinds = [one["kind"] for path in applied for one in yaml.safe_load_all(path.read_text())]
    assert "Deployment" in kinds and "Secret" not in kinds


def test_no_image_holds_secrets_history_or_what_trainings_leave() -> None:
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", "data", "runs", "deploy/*.env"} <= set(ignored)
    kept = (DEPLOY.parent / ".gitignore").read_text().splitlines()
    assert {"/deploy/compose.env", "/deploy/kubernetes/secret.yaml"} <= set(kept)
