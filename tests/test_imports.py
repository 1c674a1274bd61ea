"""The rooms import only what the table of DESIGN.md allows, inside functions too; nothing imports in circles."""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from import_graph import ROOT, circles, classes, imports, modules, room_of

# room → the rooms that it may import; a room with a condition after it: only in modules that match
ALLOWED: dict[str, set[str]] = {
    "jobspec": set(),
    "hangul": set(),
    "pictures": set(),
    "training": set(),
    "index": set(),
    "fashion": {"hangul", "pictures"},
    "ko_clip": {"hangul", "training", "pictures"},
    "diffusion": {"jobspec", "pictures"},
    "textile": {"jobspec", "hangul", "fashion", "pictures"},
    "demo": {"demo.ops"},
    "demo.store": {"jobspec"},
    "demo.queue": {"demo.store", "jobspec"},
    "demo.studio": {
        "jobspec", "demo.queue", "demo.store", "index", "ko_clip", "hangul", "fashion", "pictures", "textile",
    },
    "demo.worker": {"jobspec", "demo.studio", "demo.queue", "demo.store", "diffusion", "textile", "ko_clip", "fashion"},
    "demo.web": {"demo.studio", "demo.store", "jobspec"},
    "demo.client": {"jobspec"},
    "demo.ops": {"demo.studio", "demo.queue", "demo.store", "demo.worker", "demo.web", "demo.client", "jobspec"},
    "testing": {"diffusion", "fashion", "ko_clip", "textile"},  # what tests and benchmarks start from
}  # fmt: skip
# what only some modules of a room may import: training, evaluation and metrics, never what serves a prompt
ONLY_IN: dict[tuple[str, str], tuple[str, ...]] = {
    ("fashion", "training"): ("fashion.scorer_training", "fashion.look_scorer", "fashion.pool"),
    ("ko_clip", "fashion"): (
        "ko_clip.contrastive", "ko_clip.drawn", "ko_clip.evaluate", "ko_clip.held_out", "ko_clip.lexical",
        "ko_clip.scene_reading", "ko_clip.corpora", "ko_clip.words", "ko_clip.cross_attention", "ko_clip.reads",
        "ko_clip.export", "ko_clip.imagefolder", "ko_clip.finetune", "ko_clip.finetune_charts",
    ),
    ("diffusion", "training"): (
        "diffusion.training.*", "diffusion.training", "diffusion.metrics.*", "diffusion.baselines.*",
    ),
    ("diffusion", "ko_clip"): ("diffusion.training.lora",),  # Korean captions of a style go through the student
    ("diffusion", "fashion"): (
        "diffusion.training.*", "diffusion.metrics", "diffusion.metrics.*", "diffusion.baselines.*", "diffusion.report",
        "diffusion.edit_metrics",
    ),
    ("textile", "training"): ("textile.training.*", "textile.commands.train*"),
}  # fmt: skip


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(room: str) -> None:
    for one in imports():
        arrow = (room_of(one.importer), room_of(one.imported))
        if arrow[0] != room or arrow[0] == arrow[1] or arrow[1] in ALLOWED[room]:
            continue
        allowed = any(fnmatch(one.importer, pattern) for pattern in ONLY_IN.get(arrow, ()))
        assert allowed, f"{one.importer} imports {one.imported}: {arrow[0]} must not know {arrow[1]}"


def test_every_room_is_in_the_table() -> None:
    assert {room_of(name) for name in modules()} <= set(ALLOWED)


def test_no_two_rooms_name_a_class_alike() -> None:
    """But for the API's schemas: each is the JSON form of what a service of the same name answers."""
    rooms: dict[str, set[str]] = {}
    for module, name in classes():
        if not (module.startswith("demo.web.") and module.endswith("schemas")) and not name.startswith("_"):
            rooms.setdefault(name, set()).add(room_of(module))
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def test_nothing_imports_in_circles() -> None:
    assert circles() == []


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("demo", ("torch",)),
        ("jobspec", ("torch", "flask", "sqlalchemy")),
        ("diffusion.request", ("torch", "flask")),
        ("demo.queue, demo.queue.jobs, demo.queue.events, demo.queue.wake, demo.studio", ("torch", "flask")),
        ("demo.worker.loop, demo.studio.services, demo.queue.wake, demo.queue.relay", ("torch", "celery", "redis")),
        ("demo.web.app, index", ("celery", "redis", "pgvector", "s3fs", "boto3")),
        ("demo.studio.services, demo.studio.asking, demo.studio.starter, demo.studio.verifying", ("torch", "flask")),
        ("demo.web.app", ("torch",)),
        ("diffusion.lora_card, diffusion.editing.request, diffusion.reading", ("torch",)),
        ("demo_fakes", ("torch", "flask")),  # it starts a hundred services in the tests: torch would take half the time
    ],
)
def test_importing_a_room_loads_no_more_than_it_needs(module: str, without: tuple[str, ...]) -> None:
    code = f"import sys, {module}; sys.exit(', '.join(name for name in {without!r} if name in sys.modules) or 0)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True,
                         env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"})  # fmt: skip
    assert ran.returncode == 0, f"importing {module} loads {ran.stderr}"
