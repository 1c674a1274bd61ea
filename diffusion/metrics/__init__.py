"""How good pictures are, with intervals, always beside the pictures of a compared model on the same seeds.
`python -m diffusion.metrics PICTURES` measures folders (`diffusion.metrics.folders`).

In: two lists of pictures of the same requests, what was asked (scenes, prompts), a scorer. Out: `Comparison` rows.
Attribute accuracy and all features come from the fashion scorer, which knows the drawn domain; Inception knows
photographs. So "FID" and "KID" here are the Fréchet and kernel distances on scorer features, and the Inception Score's
formula is applied to the scorer's garment probabilities: comparable within this project, not with published numbers.
Refs: Heusel et al. 2017, arXiv:1706.08500 (FID); Bińkowski et al. 2018, arXiv:1801.01401 (KID); Gretton et al. 2012,
JMLR 13:723 (its estimator); Salimans et al. 2016, arXiv:1606.03498 (Inception Score); Hessel et al. 2021,
arXiv:2104.08718 (CLIP score); Efron 1979 (bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from fashion.scorer import Detection

FEWEST = 50  # pictures under which a distribution's distance says nothing
DRAWS = 1000
_BLOCK = 512  # rows whose products with all others are in memory at once
DISTANCE_DRAWS = 100  # a Fréchet distance costs milliseconds, a mean microseconds


class AttributeScorer(Protocol):
    """What the metrics need of a scorer (fashion.scorer.Scorer): detections and feature vectors (n, d)."""

    def detect(self, pictures: Sequence[Image.Image], /) -> Sequence[Sequence[Detection]]: ...

    def vectors(self, pictures: Sequence[Image.Image], /) -> np.ndarray: ...


class TooFewPictures(ValueError):
    """A distribution metric asked of fewer pictures than it needs."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Comparison:
    """One metric of two models on the same n requests; `difference` is ours - theirs, resampled in pairs."""

    name: str
    n: int
    higher_is_better: bool
    ours: Interval
    theirs: Interval
    difference: Interval

    @property
    def verdict(self) -> str:
        """ "better", "worse", or "no difference shown" where the interval of the difference holds zero."""
        if self.difference.low <= 0 <= self.difference.high:
            return "no difference shown"
        return "better" if (self.difference.value > 0) == self.higher_is_better else "worse"


# A metric as a function of which pictures are counted (indices, repeats allowed).
Measure = Callable[[np.ndarray], float]


def compare(
    name: str,
    n: int,
    ours: Measure,
    theirs: Measure,
    higher_is_better: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
    biased: bool = False,
) -> Comparison:
    """Bootstrap two measures in pairs: each draw takes the same requests of both models.

    `biased`: the measures depend on how many pictures there are (a Fréchet distance, a divergence from a mean). Values
    are then less their bias, estimated as what resampling adds once more (mean of the draws - value), and intervals
    are the basic bootstrap's, 2 · value - quantile (Efron & Tibshirani 1993, chapters 10 and 13); else the quantiles
    themselves.
    """
    rng = np.random.default_rng(seed)
    whole = np.arange(n)
    picks = [rng.integers(0, n, n) for _ in range(draws)]
    samples = np.array([(ours(pick), theirs(pick)) for pick in picks])  # (draws, 2)
    values = np.array([ours(whole), theirs(whole)])
    interval = _corrected if biased else _interval
    spread = [interval(values[i], samples[:, i]) for i in (0, 1)]
    difference = interval(values[0] - values[1], samples[:, 0] - samples[:, 1])
    return Comparison(name, n, higher_is_better, spread[0], spread[1], difference)


def compare_means(name: str, ours: np.ndarray, theirs: np.ndarray, higher_is_better: bool = True) -> Comparison:
    """Compare means of one number per request (n,); NaN where a request has none."""
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ValueError(f"{name}: {ours.shape} against {theirs.shape}: give one number per request, the same requests")

    def mean(values: np.ndarray) -> Measure:
        return lambda pick: float(np.nanmean(values[pick]))

    return compare(name, len(ours), mean(ours), mean(theirs), higher_is_better)


def attribute_accuracy(right: Sequence[Sequence[Mapping[str, bool]]], attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n,) right and (n,) asked of one attribute, or of "all" (a garment with everything right).

    `right`: per picture, per garment, attribute → whether it was seen right (fashion.scoring.score gives it).
    """
    hits, asked = np.zeros(len(right)), np.zeros(len(right))
    for i, garments in enumerate(right):
        answers = [all(each.values()) if attribute == "all" else each.get(attribute) for each in garments]
        known = [answer for answer in answers if answer is not None]
        hits[i], asked[i] = sum(known), len(known)
    return hits, asked


def clip_scores(texts: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """100 · max(cosine, 0) of each picture with its own prompt, (n,), from unit rows (n, d)."""
    if texts.shape != pictures.shape:
        raise ValueError(f"texts are {texts.shape}, pictures {pictures.shape}: give one vector each, in pairs")
    return 100 * np.clip(np.sum(texts * pictures, axis=1), 0, None)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two feature sets (n, d), (m, d) taken for Gaussians; 0 for the same set.

    Of finite sets it is too large, the more so the fewer their rows: `compare(..., biased=True)` corrects that.
    """
    for each in (a, b):
        _enough(each, f"the Fréchet distance on {each.shape[1]} features", each.shape[1] + 1)
    mean = np.sum((a.mean(0) - b.mean(0)) ** 2)
    one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ two @ root), 0, None)).sum()
    return float(max(0.0, mean + np.trace(one) + np.trace(two) - 2 * cross))


def kernel_distance(a: np.ndarray, b: np.ndarray, pick: np.ndarray | None = None) -> float:
    """Squared MMD of two feature sets (n, d), (m, d) with KID's kernel (x·y/d + 1)³; about zero for one distribution.

    Features are measured from b's mean in units of b's root mean square, because a scorer's have any scale. It is
    unbiased (so it may be slightly negative): a picture is not compared with itself and, where the sets have one
    length, row i not with row i, which may show the same scene (Gretton et al. 2012, equation 4). `pick`: a bootstrap's
    rows of a; a row drawn twice counts twice, and is not compared with itself either.
    """
    for each in (a, b):
        _enough(each, "the kernel distance", FEWEST)
    middle = b.mean(0, dtype=np.float64)
    spread = max(float(np.sqrt(np.mean((b - middle) ** 2))), 1e-12)
    x, y = (a - middle) / spread, (b - middle) / spread
    counts, once = np.bincount(np.arange(len(a)) if pick is None else pick, minlength=len(a)), np.ones(len(b))
    within = _mean_kernel(x, x, counts, counts) + _mean_kernel(y, y, once, once)
    return within - 2 * _mean_kernel(x, y, counts, once)


def inception_analogue(probabilities: np.ndarray) -> float:
    """exp(mean KL(p(y|x) ‖ p(y))) of class probabilities (n, K): 1 for identical rows, K for balanced one-hot ones.

    Of few rows it is too small: `compare(..., biased=True)` corrects that.
    """
    _, classes = probabilities.shape
    _enough(probabilities, f"an Inception-Score analogue over {classes} classes", classes)
    return inception_value(probabilities)


def inception_value(probabilities: np.ndarray) -> float:
    """The same of however few rows. Raises ValueError for rows that are no probabilities."""
    if np.any(probabilities < 0) or not np.allclose(probabilities.sum(1), 1, atol=1e-4):
        raise ValueError("probabilities must be rows of numbers from 0 that sum to 1")
    p = np.clip(probabilities, 1e-12, None)
    divergence = np.sum(probabilities * (np.log(p) - np.log(p.mean(0))), axis=1)
    return float(np.exp(divergence.mean()))


def garment_probabilities(seen: Sequence[Sequence[Detection]], garments: Sequence[str]) -> np.ndarray:
    """Rows (n, K + 1) over garments and "none": each picture's surest detection with its confidence, the rest even."""
    place = {garment: i for i, garment in enumerate(garments)}
    rows = np.zeros((len(seen), len(garments) + 1))
    for row, found in zip(rows, seen, strict=True):
        surest = max(found, key=lambda each: each.confidence, default=None)
        which = len(garments) if surest is None else place[surest.garment]
        sure = 1.0 if surest is None else float(surest.confidence)
        row[:] = (1 - sure) / len(garments)
        row[which] = sure
    return rows


def diversity(vectors: np.ndarray) -> np.ndarray:
    """Mean pairwise cosine distance between a prompt's seeds, (prompts,), from features (prompts, seeds, d)."""
    if vectors.ndim != 3 or vectors.shape[1] < 2:
        raise TooFewPictures(f"diversity needs (prompts, seeds, d) with two seeds or more, not {vectors.shape}")
    units = vectors / np.clip(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-12, None)
    seeds = vectors.shape[1]
    cosines = np.square(units.sum(axis=1, dtype=np.float64)).sum(axis=1)  # of all pairs, one with itself included
    return 1 - (cosines - seeds) / (seeds * (seeds - 1))


def sharpness(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Standard deviation of the Laplacian of luminance, in levels of 255, (n,): 0 for a flat picture."""
    return np.array([_laplacian(np.asarray(each.convert("L"), dtype=np.float64)).std() for each in pictures])


def markdown(rows: Sequence[Comparison], ours: str = "ours", theirs: str = "compared") -> str:
    """One Markdown table of comparisons."""
    lines = [f"| metric | n | {ours} | {theirs} | difference | |", "|---|---|---|---|---|---|"]
    for row in rows:
        arrow = "↑" if row.higher_is_better else "↓"
        lines.append(f"| {row.name} {arrow} | {row.n} | {row.ours} | {row.theirs} | {row.difference} | {row.verdict} |")
    return "\n".join(lines)


def _interval(value: float, samples: np.ndarray) -> Interval:
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def _corrected(value: float, samples: np.ndarray) -> Interval:
    """The value less its bias and the basic bootstrap's interval, which holds it."""
    unbiased = 2 * value - samples.mean()
    low, high = 2 * value - np.percentile(samples, [97.5, 2.5])
    return Interval(float(unbiased), float(min(low, unbiased)), float(max(high, unbiased)))


def _enough(rows: np.ndarray, what: str, least: int) -> None:
    least = max(least, FEWEST)
    if len(rows) < least:
        raise TooFewPictures(f"{what} needs {least} pictures or more, there are {len(rows)}: draw more")


def _mean_kernel(x: np.ndarray, y: np.ndarray, counts: np.ndarray, others: np.ndarray) -> float:
    """Mean of (x·y/d + 1)³ over pairs of rows, each counted so often, but for row i with row i."""
    total = number = 0.0
    for start in range(0, len(x), _BLOCK):
        here = slice(start, start + _BLOCK)
        pairs = np.outer(counts[here], others).astype(np.float64)  # (block, m)
        if len(x) == len(y):
            np.fill_diagonal(pairs[:, here], 0)
        total += float(np.sum(pairs * (x[here] @ y.T / x.shape[1] + 1) ** 3))
        number += float(pairs.sum())
    return total / number


def _laplacian(levels: np.ndarray) -> np.ndarray:
    middle = levels[1:-1, 1:-1]
    return levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:] - 4 * middle
