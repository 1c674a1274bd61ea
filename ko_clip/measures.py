"""Measures of retrieval and similarity, in numpy alone.

Ranks share credit among identical texts; Spearman averages tied ranks; the lexical rival is the cosine of character
1-3-gram counts weighted by idf, which on Korean is a strong one.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np


def ranks(queries: np.ndarray, keys: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Rank (0 the best) of each query's own text among the different texts, by cosine.

    queries, keys: (rows, dim), row i belonging to texts[i]; rows of one text share credit.
    """
    if len(queries) != len(keys) or len(keys) != len(texts):
        raise ValueError(f"{len(queries)} queries, {len(keys)} keys and {len(texts)} texts: they must be as many")
    unit = [x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9) for x in (queries, keys)]
    scores = unit[0] @ unit[1].T  # (rows, rows)
    _, first, group = np.unique(np.array(texts), return_index=True, return_inverse=True)
    best = np.full((len(texts), len(first)), -np.inf, dtype=np.float32)
    for column, owner in enumerate(group):
        best[:, owner] = np.maximum(best[:, owner], scores[:, column])
    own = best[np.arange(len(texts)), group]
    return (best > own[:, None] + 1e-7).sum(1)


def recall(queries: np.ndarray, keys: np.ndarray, texts: Sequence[str], k: int = 1) -> float:
    """Share of queries whose own text is among the k nearest."""
    return float((ranks(queries, keys, texts) < k).mean())


def retrieval(queries: np.ndarray, keys: np.ndarray, texts: Sequence[str]) -> dict[str, float]:
    """R@1, R@5, R@10 as shares and the median rank, 1 the best."""
    found = ranks(queries, keys, texts)
    return {**{f"R@{k}": float((found < k).mean()) for k in (1, 5, 10)}, "median rank": float(np.median(found) + 1)}


def grouped_recall(
    texts: np.ndarray, pictures: np.ndarray, owners: np.ndarray, top: Sequence[int]
) -> dict[str, dict[int, float]]:
    """R@k of texts (n, d) for pictures (m, d) and back; text i describes picture owners[i], several may one picture.

    A picture has found its text where any of its own is among the k nearest. Unit vectors; k → share, by way.
    """
    scores = texts @ pictures.T  # (n, m)
    own = scores[np.arange(len(owners)), owners]
    picture_ranks = (scores > own[:, None]).sum(1)
    best = np.full(len(pictures), -np.inf, dtype=scores.dtype)
    np.maximum.at(best, owners, own)
    told = np.isin(np.arange(len(pictures)), owners)
    text_ranks = (scores > best[None]).sum(0)[told]
    return {
        way: {k: float((found < k).mean()) for k in top}
        for way, found in (("text→picture", picture_ranks), ("picture→text", text_ranks))
    }


def relative_error(student: np.ndarray, teacher: np.ndarray) -> float:
    """Mean squared error of (rows, slots, dim) over the teacher's variance across rows: 0 equal, 1 knows nothing."""
    centred = teacher - teacher.mean(0)
    return float(np.square(student - teacher).mean() / max(np.square(centred).mean(), 1e-12))


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation of two lists of numbers; tied values share the mean of their ranks."""
    x, y = _mean_ranks(np.asarray(a, dtype=np.float64)), _mean_ranks(np.asarray(b, dtype=np.float64))
    x, y = x - x.mean(), y - y.mean()
    return float((x @ y) / max(math.sqrt(float((x @ x) * (y @ y))), 1e-12))


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[group]


class CharacterTfidf:
    """Cosine of character 1-3-gram counts with idf learned from the training part's sentences."""

    def __init__(self, sentences: Sequence[str]) -> None:
        seen = Counter(gram for sentence in sentences for gram in set(_grams(sentence)))
        self.idf = {gram: math.log((1 + len(sentences)) / (1 + count)) + 1 for gram, count in seen.items()}
        self.unseen = math.log(1 + len(sentences)) + 1

    def similarity(self, a: str, b: str) -> float:
        x, y = self._weights(a), self._weights(b)
        dot = sum(weight * y[gram] for gram, weight in x.items() if gram in y)
        norm = math.sqrt(sum(w * w for w in x.values()) * sum(w * w for w in y.values()))
        return dot / norm if norm else 0.0

    def _weights(self, text: str) -> dict[str, float]:
        return {gram: count * self.idf.get(gram, self.unseen) for gram, count in Counter(_grams(text)).items()}


def _grams(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text).lower()
    return [text[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)]
