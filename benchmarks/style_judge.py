"""Whether a picture shows a look: a judge that has seen true drawings of it and of everything else, and no network's.

In: the name of a look (fashion.looks), pictures. Out: which of them show it. Its features are a histogram of colours
and one of edges, so that it tells looks and not garments; its error on true drawings that it was not shown is told too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fashion.drawing import draw
from fashion.looks import LOOKS
from fashion.scene import sample_scene

SIZE = 128
COLORS, EDGES = 5, 12  # bins a channel, bins of edge strength
TRUE_DRAWINGS, SEED = 240, 97  # of each kind; the seed shares no scene with training sets


@dataclass
class Judge:
    """`right`: the share of true drawings, never shown, that it tells rightly."""

    model: object
    right: float

    def sees(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Which pictures show the look, (n,) of bool."""
        features = np.stack([_features(np.asarray(each.convert("RGB").resize((SIZE, SIZE)))) for each in pictures])
        return np.asarray(self.model.predict(features), bool)  # type: ignore[attr-defined]


def train_judge(look: str) -> Judge:
    """A judge of one look: half of the drawings teach it, the others measure it."""
    looks, others = [], []
    for i in range(TRUE_DRAWINGS):
        scene = sample_scene(SEED * 10**7 + i)
        looks.append(_features(LOOKS[look].draw(scene, SIZE)))
        # what it is told from: the domain's own styles, and the other looks
        rest = [draw, *(each.draw for name, each in LOOKS.items() if name != look)]
        others.append(_features(rest[i // 2 % len(rest)](scene, SIZE)))  # each kind teaches, and each measures
    features, shown = np.array(looks + others), np.array([True] * len(looks) + [False] * len(others))
    taught = np.arange(len(shown)) % 2 == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit(features[taught], shown[taught])
    return Judge(model, float((model.predict(features[~taught]) == shown[~taught]).mean()))


def _features(picture: np.ndarray) -> np.ndarray:
    levels = picture.astype(np.float32)
    counts, _ = np.histogramdd(levels.reshape(-1, 3), bins=COLORS, range=[(0, 256)] * 3)
    grey = levels.mean(axis=2)
    steep = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    edges, _ = np.histogram(steep, bins=EDGES, range=(0, 120))
    return np.sqrt(np.concatenate([counts.ravel() / grey.size, edges / steep.size]))
