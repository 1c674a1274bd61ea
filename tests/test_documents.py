"""Documents point at what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    if (ROOT / path).exists()
)
FENCES = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def headings(text: str) -> set[str]:
    """The anchors that a Markdown renderer gives to the headings of a document."""
    found = re.findall(r"^#+ (.*)$", FENCES.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in found}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"(?<!\w)\[[^\]]*\]\(([^)\s]+)\)", FENCES.sub("", path.read_text("utf-8"))):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        found = path if not name else (path.parent / name).resolve()
        assert found.exists(), f"{document} links to {target}, which is not there"
        if anchor and found.suffix == ".md":
            assert anchor in headings(found.read_text("utf-8")), f"{document} links to {target}: no such heading"


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_readme_is_read_in_a_few_minutes(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= 150


def test_every_page_of_docs_is_listed_in_its_index() -> None:
    listed = (ROOT / "docs/README.md").read_text("utf-8")
    for document in DOCUMENTS:
        if document.startswith("docs/") and document != "docs/README.md":
            assert document.removeprefix("docs/") in listed, f"{document} is not in docs/README.md"
