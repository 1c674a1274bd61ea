"""Measures of one set of pictures, or of one beside a reference set, from features and class probabilities.

In: arrays of whatever network. Out: numbers. Refs: Salimans et al. 2016, arXiv:1606.03498 (the Inception Score's
splits); Kynkäänniemi et al. 2019, arXiv:1904.06991 (precision and recall).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffusion.metrics import FEWEST, TooFewPictures, inception_value

SPLITS = 10
NEIGHBOURS = 3
_BLOCK = 512  # rows whose distances are in memory at once


@dataclass(frozen=True)
class Spread:
    """A mean over splits and its standard deviation."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f}"


def inception_splits(probabilities: np.ndarray, splits: int = SPLITS) -> Spread:
    """The Inception Score's formula on class probabilities (n, K), mean and deviation over splits.

    1 for identical rows, K for balanced one-hot ones: rows are dealt to the splits class by class, so that the order of
    the pictures does not matter. Raises TooFewPictures where a split would have fewer rows than classes, ValueError for
    rows that are no probabilities.
    """
    n, classes = probabilities.shape
    if splits < 1:
        raise ValueError(f"splits is {splits}: give at least 1")
    if n < splits * classes:
        least = splits * classes
        raise TooFewPictures(f"{splits} splits over {classes} classes need {least} pictures or more, there are {n}: "
                             "draw more, or take fewer --splits")  # fmt: skip
    order = np.argsort(probabilities.argmax(axis=1), kind="stable")
    values = [inception_value(probabilities[order[i::splits]]) for i in range(splits)]
    return Spread(float(np.mean(values)), float(np.std(values)))


def precision_recall(drawn: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Shares of drawn pictures within the manifold of real ones, and of real ones within that of the drawn.

    Features are (n, d) and (m, d).
    A manifold is the union of spheres around its points that reach to their k-th neighbour. Raises TooFewPictures.
    """
    for each in (drawn, real):
        if len(each) < max(FEWEST, neighbours + 1):
            raise TooFewPictures(
                f"precision and recall need {FEWEST} pictures or more, there are {len(each)}: draw more"
            )
    return _share_within(drawn, real, neighbours), _share_within(real, drawn, neighbours)


def _share_within(points: np.ndarray, centres: np.ndarray, neighbours: int) -> float:
    radii = np.concatenate([
        np.partition(_distances(block, centres), neighbours, axis=1)[:, neighbours] for block in _blocks(centres)
    ])  # fmt: skip
    within = [(_distances(block, centres) <= radii[None, :]).any(axis=1) for block in _blocks(points)]
    return float(np.concatenate(within).mean())


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances (n, m), without what rounding leaves below zero."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
