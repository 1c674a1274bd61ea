"""The rooms import only what the design allows, inside functions too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    "hangul",
    "pictures",
    "training",
    "ko_clip",
    "index",
    "fashion",
    "diffusion",
    "textile",
    "demo",
    "benchmarks",
    "tests",
)
ALLOWED = {
    "hangul": set(),
    "training": set(),
    "index": set(),
    "pictures": set(),
    "fashion": {"hangul", "training", "pictures"},
    "ko_clip": {"hangul", "fashion", "training", "pictures"},
    "diffusion": {"fashion", "training", "pictures"},
    "textile": {"fashion", "training"},
    "demo": {"hangul", "ko_clip", "index", "fashion", "diffusion", "textile", "pictures"},
}
# Only training and evaluation may draw: what serves a prompt must not need the renderer or the training loop.
SERVING = {
    "ko_clip": ("model", "encoder", "tokenizer"),
    "diffusion": ("pipeline", "load", "specs"),
}


def imported_rooms(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found & set(ROOMS)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        wrong = imported_rooms(path) - ALLOWED[room] - {room}
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(wrong)}, which {room}/ must not know"


@pytest.mark.parametrize("room", SERVING)
def test_what_serves_does_not_import_the_drawn_domain_or_training(room: str) -> None:
    for name in SERVING[room]:
        path = ROOT / room / f"{name}.py"
        assert path.exists(), f"{path.relative_to(ROOT)} moved: name it in SERVING"
        assert not imported_rooms(path) & {"fashion", "training"}, f"{path.relative_to(ROOT)} needs training rooms"


def test_importing_demo_loads_no_torch() -> None:
    code = "import sys, demo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
