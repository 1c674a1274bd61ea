"""What teachers say is kept on disk where there is room, its size said first, and asked again where there is none."""

from __future__ import annotations

import logging
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from ko_clip import targets
from ko_clip.targets import Targets, choose_mode
from ko_clip.teachers import Target

ROWS, MARGIN = 1000, 2 << 30
FULL, POOLED = ROWS * (77 * 8 + 4) * 2, ROWS * 4 * 2
Usage = namedtuple("Usage", "total used free")


class Counting:
    """A teacher that says how often it was asked. `dim` 0: a sentence teacher, which has no states."""

    slots = 77

    def __init__(self, dim: int = 8) -> None:
        self.dim, self.heads, self.asked = dim, {"base": None}, 0

    def widths(self, name: str) -> tuple[int, int]:
        return self.dim, 4

    def encode(self, texts: list[str]) -> dict[str, Target]:
        self.asked += len(texts)
        values = np.array([float(text) / 3 for text in texts], dtype=np.float32)
        states = np.broadcast_to(values[:, None, None], (len(texts), 77, self.dim)) if self.dim else None
        return {"base": Target(states, np.repeat(values[:, None], 4, 1))}


def leave_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(targets.shutil, "disk_usage", lambda _: Usage(0, 0, MARGIN + free))


@pytest.mark.parametrize(("free", "dim", "mode"), [
    (FULL, 8, "full"), (FULL - 1, 8, "pooled"), (POOLED - 1, 8, "none"),
    (POOLED, 0, "full"), (POOLED - 1, 0, "none"),
])  # fmt: skip
def test_the_cache_is_what_the_disk_has_room_for_and_its_size_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, free: int, dim: int, mode: str
) -> None:
    leave_free(monkeypatch, free)
    with caplog.at_level(logging.INFO):
        assert choose_mode(tmp_path / "one", Counting(dim), ROWS) == mode
    assert "teacher outputs of 1000 rows take 0.00 GB" in caplog.text and f"cache {mode}" in caplog.text


def test_what_another_cache_has_yet_to_fill_is_not_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, FULL + FULL // 2)
    assert Targets(tmp_path / "one", Counting(), ROWS).mode == "full"
    assert choose_mode(tmp_path / "two", Counting(), ROWS) == "pooled"
    shutil.rmtree(tmp_path / "one")
    assert choose_mode(tmp_path / "two", Counting(), ROWS) == "full"


@pytest.mark.parametrize(("dim", "mode", "asked"), [
    (8, "full", 3), (8, "pooled", 6), (8, "none", 6), (0, "pooled", 3), (0, "none", 6),
])  # fmt: skip
def test_a_kept_row_is_asked_once_and_what_is_kept_or_asked_is_the_same(
    tmp_path: Path, dim: int, mode: str, asked: int
) -> None:
    teacher = Counting(dim)
    kept = Targets(tmp_path, teacher, ROWS, mode)
    first, again = (kept.fetch([5, 1, 7], ["5", "1", "7"])["base"] for _ in range(2))
    assert teacher.asked == asked
    assert np.array_equal(first.pooled, again.pooled) and first.pooled.dtype == np.float16
    assert (first.states is None) == (dim == 0)
    assert dim == 0 or np.array_equal(first.states, again.states)
    opened = Targets(tmp_path, teacher, ROWS, mode).fetch([7], ["7"])["base"]  # another process, later
    assert np.array_equal(opened.pooled, first.pooled[2:])
