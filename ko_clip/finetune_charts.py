"""What a fine-tuning changed, as pictures: a table of the figures and a histogram of ranks, before and after.

In: measurements of the same held-out pairs. Out: table.png and ranks.png. A rank is the place at which the right
picture or text is found: 1 is found first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fashion import charts
from ko_clip.train_further import Measurement

TABLE, RANKS = "table.png", "ranks.png"
_EDGES = (1, 2, 6, 11, 51, 101, 501, 1001, 5001)
_LOWER_IS_BETTER = ("loss", "median_rank")
_NAMES = {  # Korean and English
    "r1": ("R@1, 두 방향 평균 (%)", "R@1, mean of both ways (%)"), "loss": ("손실", "loss"),
    "text_to_image_r1": ("글 → 그림 R@1 (%)", "text → picture R@1 (%)"),
    "text_to_image_r5": ("글 → 그림 R@5 (%)", "text → picture R@5 (%)"),
    "image_to_text_r1": ("그림 → 글 R@1 (%)", "picture → text R@1 (%)"),
    "image_to_text_r5": ("그림 → 글 R@5 (%)", "picture → text R@5 (%)"), "median_rank": ("순위 중앙값", "median rank"),
}  # fmt: skip


def draw_comparison(before: Measurement, after: Measurement, folder: Path) -> list[Path]:
    """Write both pictures into `folder`; their paths."""
    labels = charts.Labels.find()
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (labels(*_NAMES.get(name, (name, name))), _shown(old), _shown(new), _verdict(name, old, new, labels))
        for name, old, new in _figures(before, after)
    ]  # fmt: skip
    head = ("", labels("전", "before"), labels("후", "after"), "")
    title = labels(f"떼어 둔 {before.pairs:,}쌍에서", f"On {before.pairs:,} held-out pairs")
    charts.table(rows, head, title, folder / TABLE)
    edges = [edge for edge in _EDGES if edge <= before.pairs] + [before.pairs + 1]
    title = labels("맞는 짝을 찾은 순위", "Ranks of the right partner")
    across, up = labels("순위", "rank"), labels("질의 수", "queries")
    charts.histogram({head[1]: before.ranks, head[2]: after.ranks}, edges, title, across, up, folder / RANKS)
    return [folder / TABLE, folder / RANKS]


def _figures(before: Measurement, after: Measurement) -> list[tuple[str, float, float]]:
    pairs = [(name, value, after.figures[name]) for name, value in before.figures.items()]
    return [*pairs, ("median_rank", float(np.median(before.ranks)), float(np.median(after.ranks)))]


def _shown(value: float) -> str:
    return f"{value:,.4g}"


def _verdict(name: str, before: float, after: float, labels: charts.Labels) -> str:
    if before == after:
        return labels("같음", "equal")
    better = (after < before) == (name in _LOWER_IS_BETTER)
    return labels("나아짐", "better") if better else labels("나빠짐", "worse")
