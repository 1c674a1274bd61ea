"""Say before what and in which style a picture is drawn.

In: pictures. Out: for each the ids of a background and of a style. The reading is linear: logistic regression on true
drawings, over the reporting scorer's own features of the whole picture and of its border, and the picture itself at
8 × 8 pixels. Every drawing is shown as it is and reduced to half its size and enlarged again, so that a style is told
by more than its finest lines, which differ in a generated picture. It is measured on held-out drawings where it is
fitted, and takes part in no training of what draws. A second reading, over the steering scorer's features, does: it
rewards base and refiner (`diffusion.training.guidance`, `.refiner`), and reports nothing.

    python -m fashion.setting --pool runs/pool                          # fit the reporting one anew: minutes
    python -m fashion.setting --pool runs/pool --scorer steering        # and the one that rewards
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file, save_file

from fashion.lexicon import BACKGROUNDS, STYLES
from fashion.pool import PicturePool, halved, open_pool
from fashion.scorer import ARCHITECTURES, Scorer, ScorerNetwork, as_input

logger = logging.getLogger(__name__)
NAMES = {"reporting": "setting", "steering": "setting-steering"}  # of the files, by the scorer that is read
FIELDS = {"background": tuple(word.id for word in BACKGROUNDS), "style": tuple(word.id for word in STYLES)}
_PENALTY = 0.03  # inverse of the regression's
_BATCH = 64


class SettingReader:
    """Weights (features + 1, words) for each of `FIELDS`, the last row the bias."""

    def __init__(self, scorer: Scorer, weights: dict[str, np.ndarray]) -> None:
        self._scorer, self._weights = scorer, weights

    @classmethod
    def load(cls, folder: Path | str, scorer: Scorer) -> SettingReader:
        """Open what `folder` holds for this scorer. Raises FileNotFoundError that says how to fit it."""
        architecture = scorer.network.architecture
        path = Path(folder) / f"{NAMES[architecture]}.safetensors"
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: python -m fashion.setting --scorer {architecture} makes it")
        return cls(scorer, {field: value.astype(np.float32) for field, value in load_file(path).items()})

    def read(self, pictures: Sequence[Image.Image] | np.ndarray) -> list[tuple[str, str]]:
        """(background, style) of each picture: PIL images of one size, or uint8 (n, h, w, 3)."""
        parts = [features(self._scorer, pictures[i : i + _BATCH]) for i in range(0, len(pictures), _BATCH)]
        rows = np.concatenate([np.concatenate(parts), np.ones((len(pictures), 1), np.float32)], axis=1)
        best = {field: (rows @ weights).argmax(axis=1) for field, weights in self._weights.items()}
        return [
            (FIELDS["background"][place], FIELDS["style"][way])
            for place, way in zip(best["background"], best["style"], strict=True)
        ]

    def logits(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """By field, how likely each word is (n, words), of pictures (n, 3, 256, 256) in -1..1; with their gradient."""
        rows = picture_features(self._scorer.network, pictures)
        weights = {field: torch.from_numpy(value).to(rows) for field, value in self._weights.items()}
        return {field: rows @ value[:-1] + value[-1] for field, value in weights.items()}


@torch.inference_mode()
def features(scorer: Scorer, pictures: Sequence[Image.Image] | np.ndarray) -> np.ndarray:
    """`picture_features` of pictures of any form, float32."""
    return picture_features(scorer.network, as_input(pictures)).float().numpy()


def picture_features(network: ScorerNetwork, tensor: torch.Tensor) -> torch.Tensor:
    """Of pictures (n, 3, 256, 256) in -1..1, (n, f): 8 × 8 pixels, means and spreads of early, fine and middle
    features, those of the border too.
    """
    early, fine, middle, _ = network.features(tensor)
    parts = [F.adaptive_avg_pool2d(tensor, 8).flatten(1)]
    for level in (early, fine, middle):
        parts += [level.mean(dim=(2, 3)), level.std(dim=(2, 3))]
    for level in (early, fine):
        wide = level.shape[-1] // 8
        top, bottom, left, right = (level[:, :, :wide], level[:, :, -wide:], level[..., :wide], level[..., -wide:])
        border = torch.cat([part.flatten(2) for part in (top, left, right)], dim=2)  # feet hide the lower edge
        parts += [border.mean(dim=2), border.std(dim=2), top.mean(dim=(2, 3)), bottom.mean(dim=(2, 3))]
    return torch.cat(parts, dim=1)


def fit(rows: np.ndarray, wanted: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights (features + 1, words) by field, from features (n, f) and the place (n,) of each true word."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    weights = {}
    for field, places in wanted.items():
        model = LogisticRegression(C=_PENALTY, max_iter=400).fit((rows - mean) / spread, places)
        slope = (model.coef_ / spread).T
        weights[field] = np.vstack([slope, model.intercept_ - mean @ slope]).astype(np.float32)
    return weights


def _views(scorer: Scorer, pool: PicturePool) -> np.ndarray:
    """Features (2, count, f) of every picture of a pool as it is, and of the same at half its size."""
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for start in range(0, len(pool), _BATCH):
        pictures = pool.pictures(np.arange(start, min(start + _BATCH, len(pool))))
        for part, shown in zip(parts, (pictures, halved(pictures)), strict=True):
            part.append(features(scorer, shown))
    return np.stack([np.concatenate(part) for part in parts])


def _kept(path: Path | None, make: Callable[[], np.ndarray]) -> np.ndarray:
    if path is None:
        return make()
    if not path.exists():
        np.save(path, make())
    return np.load(path)


def main(argv: list[str] | None = None) -> None:

    parser = argparse.ArgumentParser(prog="python -m fashion.setting", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pool", type=Path, default=Path("runs/pool"))
    parser.add_argument("--pictures", type=int, default=6144, help="of the pool to fit to")
    parser.add_argument("--held-out", type=int, default=1024, help="of those behind them to measure on")
    parser.add_argument("--kept", type=Path, help="keep the features in this file, and read none that are there")
    parser.add_argument("--scorers", type=Path, default=Path("checkpoints/scorers"))
    parser.add_argument("--scorer", choices=ARCHITECTURES, default="reporting", help="whose features are read")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    count = options.pictures + options.held_out
    pool, scorer = open_pool(options.pool, count), Scorer.load(options.scorers, options.scorer)
    rows = _kept(options.kept, lambda: _views(scorer, pool))  # (2, count, f)
    scenes = [pool.scene(i) for i in range(count)]
    truth = {name: np.array([FIELDS[name].index(getattr(scene, name)) for scene in scenes]) for name in FIELDS}
    taught = {name: np.tile(places[: options.pictures], len(rows)) for name, places in truth.items()}
    weights = fit(np.concatenate(list(rows[:, : options.pictures])), taught)
    facts: dict[str, object] = {"pictures": options.pictures, "held out": options.held_out}
    for view, seen in zip(("", " enlarged"), rows[:, options.pictures :], strict=True):
        tested = np.concatenate([seen, np.ones((options.held_out, 1), np.float32)], axis=1)
        for name, places in truth.items():
            asked = places[options.pictures :]
            right = (tested @ weights[name]).argmax(axis=1) == asked
            facts[f"{name}{view}"] = round(100 * float(right.mean()), 1)
            for place, word in enumerate(FIELDS[name]):
                facts[f"{name}{view} {word}"] = round(100 * float(right[asked == place].mean()), 1)
    options.scorers.mkdir(parents=True, exist_ok=True)
    name = NAMES[options.scorer]
    save_file(weights, options.scorers / f"{name}.safetensors")
    (options.scorers / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    logger.info(json.dumps(facts))


if __name__ == "__main__":
    main()
