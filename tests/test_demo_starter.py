"""The starter gallery that ships: enough, small, and drawn by the checkpoint beside it."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from demo.store.settings import REPOSITORY
from demo.studio.starter import FEWEST, MOST_BYTES
from diffusion.load import _checkpoint_id
from diffusion.specs import resolve

FOLDER = REPOSITORY / "demo" / "starter"


def entries() -> list[dict]:
    return json.loads((FOLDER / "gallery.json").read_text("utf-8"))["entries"]


def test_it_is_large_enough_and_small_enough() -> None:
    assert len(entries()) >= FEWEST == 60
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES == 1_500_000
    for entry in entries():
        with Image.open(FOLDER / entry["file"]) as picture:
            assert picture.size == (entry["width"], entry["height"]), entry["file"]


def test_it_was_drawn_by_the_checkpoint_that_ships() -> None:
    """After the weights changed: `make gallery`."""
    shipped = _checkpoint_id(resolve(Path(REPOSITORY / "checkpoints")))
    assert {entry["recipe"]["made_with"]["checkpoint"] for entry in entries()} == {shipped}
