"""Whether a picture shows a look: judges that have seen true drawings of all looks, of two at once and of none, and no
network's.

In: the reporting scorer, pictures. Out: which of them show a look. A judge goes by the scorer's features, which tell
things, and by the colours of a grid of 4 × 4 cells; three in four of its drawings are blurred or stained, so that it
does not go by how crisp they are. Histograms of colours and edges, as before, took pictures of a network for none of
the looks that everybody sees. The drawings that a judge was not shown say how far it can be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fashion.drawing import draw
from fashion.looks import LOOKS
from fashion.looks.together import PAIRS, draw_looks
from fashion.scene import Scene, sample_scene
from fashion.scorer import Scorer

SIZE, CELLS = 128, 4  # pixels a side that are looked at, cells a side of the grid
TRUE_DRAWINGS, PLAIN, SEED = 240, 960, 97  # of each look, of none; the seed shares no scene with training sets
BLURS = (0.8, 1.5)  # pixels
STAINS = 15.0  # levels


@dataclass(frozen=True)
class Judge:
    """`right`: the mean of two shares of true drawings that it was not shown: of the look, those that it sees; of all
    others, those that it does not take for it.
    """

    scorer: Scorer
    model: object
    right: float

    def sees(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Which pictures show the look, (n,) of bool."""
        shown = [each.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS) for each in pictures]
        return np.asarray(self.model.predict(_features(self.scorer, shown)), bool)  # type: ignore[attr-defined]


def train_judges(scorer: Scorer) -> Mapping[str, Judge]:
    """A judge of each look, by its id: half of the drawings teach it, the others measure it."""
    kinds = ((), *((look,) for look in LOOKS), *PAIRS)
    features = [_features(scorer, list(_drawings(looks))) for looks in kinds]
    rows = np.concatenate(features)
    taught = np.arange(len(rows)) % 2 == 0
    return {
        look: _trained(scorer, rows, np.repeat([look in looks for looks in kinds], [*map(len, features)]), taught)
        for look in LOOKS
    }


def _trained(scorer: Scorer, rows: np.ndarray, shown: np.ndarray, taught: np.ndarray) -> Judge:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=3000, class_weight="balanced"))
    model.fit(rows[taught], shown[taught])
    told = model.predict(rows[~taught]) == shown[~taught]
    return Judge(scorer, model, float((told[shown[~taught]].mean() + told[~shown[~taught]].mean()) / 2))


def _drawings(looks: tuple[str, ...]) -> Iterator[Image.Image]:
    """True drawings of one look or two, or of the domain's own styles; three in four disturbed."""
    for i in range(TRUE_DRAWINGS if looks else PLAIN):
        scene = sample_scene(SEED * 10**7 + i)
        yield _disturbed(Image.fromarray(true_drawing(looks, scene, SIZE)), i)


def true_drawing(looks: tuple[str, ...], scene: Scene, size: int) -> np.ndarray:
    """A scene in one look, in the two of a pair, or in none, uint8 (size, size, 3)."""
    return draw_looks(looks, scene, size) if looks else draw(scene, size)


def _disturbed(picture: Image.Image, number: int) -> Image.Image:
    way = number // 2 % (len(BLURS) + 2)  # two of each, one of which teaches
    if way == 0:
        return picture
    if way <= len(BLURS):
        return picture.filter(ImageFilter.GaussianBlur(BLURS[way - 1]))
    coarse = np.random.default_rng(number).normal(128, STAINS, (SIZE // 4, SIZE // 4, 3)).clip(0, 255).astype(np.uint8)
    stains = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    levels = np.asarray(picture, np.float32) + np.asarray(stains, np.float32) - 128
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def _features(scorer: Scorer, pictures: Sequence[Image.Image]) -> np.ndarray:
    """(n, d): the scorer's features, and mean and deviation of the colours of every cell."""
    levels = np.stack([np.asarray(each, np.float32) for each in pictures]) / 255
    side = SIZE // CELLS
    cells = levels.reshape(len(levels), CELLS, side, CELLS, side, 3)
    colors = [cells.mean((2, 4)).reshape(len(levels), -1), cells.std((2, 4)).reshape(len(levels), -1)]
    return np.concatenate([scorer.vectors(pictures), *colors], axis=1)
