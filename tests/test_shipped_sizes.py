"""What ships stays small enough to clone: bytes of each part, and of all."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
# MiB; the base has two of those that were meant for the VAE
MEBIBYTES = {"base": 15.9, "refiner": 7, "vae": 1, "clip": 7, "scorers": 3, "korean": 9, "textile": 4, "styles": 2.4}
LARGEST = 51_200 * 1024  # bytes of all


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("part", MEBIBYTES)
def test_a_part_keeps_its_budget(part: str) -> None:
    assert 0 < size(CHECKPOINTS / part) <= MEBIBYTES[part] * 2**20


def test_all_of_it_keeps_the_budget_and_every_part_has_one() -> None:
    assert {path.name for path in CHECKPOINTS.iterdir() if path.is_dir()} == set(MEBIBYTES)
    assert size(CHECKPOINTS) <= LARGEST
