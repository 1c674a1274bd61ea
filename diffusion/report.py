"""Compare two models' pictures of the same requests on every metric at once.

In: the scenes that were asked for, each model's pictures of them (same seeds), real pictures of the domain, a scorer,
and, if CLIP scores are wanted, CLIP's vectors. Out: a list of `Comparison`, ready for `markdown`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from diffusion.encoder import LENGTH
from diffusion.metrics import (
    DISTANCE_DRAWS,
    FEWEST,
    AttributeScorer,
    Comparison,
    Measure,
    attribute_accuracy,
    clip_scores,
    compare,
    compare_means,
    diversity,
    frechet_distance,
    garment_probabilities,
    inception_analogue,
    kernel_distance,
    sharpness,
)
from diffusion.metrics.networks import channel_numbers, standardised
from diffusion.parts import open_clip, open_tokenizer
from diffusion.weights import read_json
from fashion.lexicon import GARMENTS
from fashion.scene import Scene
from fashion.scoring import SCORED, score

if TYPE_CHECKING:
    from fashion.scorer import Detection


@dataclass(frozen=True)
class Judged:
    """One model's pictures as a scorer sees them."""

    pictures: Sequence[Image.Image]
    seen: Sequence[Sequence[Detection]]
    vectors: np.ndarray

    @classmethod
    def by(cls, scorer: AttributeScorer, pictures: Sequence[Image.Image]) -> Judged:
        return cls(pictures, scorer.detect(pictures), scorer.vectors(pictures))


class ClipJudge:
    """A CLIP that gives unit vectors of texts and pictures, from a folder in the Hugging Face layout."""

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.model = open_clip(folder, torch.float32, self.device)
        self.tokenizer = open_tokenizer(folder)
        settings = folder / "preprocessor_config.json"
        known = read_json(settings) if settings.is_file() else {}
        usual = (0.5, 0.5, 0.5)  # where a folder says nothing: pixels in -1..1, as ours is trained
        self.mean, self.deviation = (channel_numbers(known.get(key), usual) for key in ("image_mean", "image_std"))

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Unit rows (n, d)."""
        ids = self.tokenizer(
            list(prompts), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
        ).input_ids
        pooled = self.model.text_model(ids.to(self.device)).pooler_output
        return F.normalize(self.model.text_projection(pooled), dim=-1).cpu().numpy()

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Unit rows (n, d)."""
        tower = self.model.config.vision_config
        assert tower is not None and not isinstance(tower, dict) and isinstance(tower.image_size, int)
        rows = []
        for part in standardised(pictures, tower.image_size, self.mean, self.deviation).split(32):
            pooled = self.model.vision_model(part.to(self.device)).pooler_output
            rows.append(F.normalize(self.model.visual_projection(pooled), dim=-1).cpu())
        return torch.cat(rows).numpy()


def compare_accuracy(scenes: Sequence[Scene], ours: Judged, theirs: Judged) -> list[Comparison]:
    """Share of garments whose attribute was seen right, per attribute and for "all"."""
    answers = [_right(scenes, each) for each in (ours, theirs)]
    rows = []
    for attribute in (*SCORED, "all"):
        sides = [attribute_accuracy(each, attribute) for each in answers]
        if sides[0][1].sum():
            rows.append(compare(f"{attribute} accuracy", len(scenes), _share(*sides[0]), _share(*sides[1])))
    return rows


def _right(scenes: Sequence[Scene], judged: Judged) -> list[list[dict[str, bool]]]:
    """Per scene and asked garment, which attributes were seen right."""
    return [[each.right for each in score(scene, found)] for scene, found in zip(scenes, judged.seen, strict=True)]


def compare_distributions(ours: Judged, theirs: Judged, real: np.ndarray) -> list[Comparison]:
    """Distances on scorer features to real pictures' (m, d), and the garment Inception-Score analogue."""
    n = len(ours.pictures)
    rows = []
    for name, measure, biased in (("Fréchet distance", _frechet, True), ("kernel distance", _kernel, False)):
        first, second = (measure(each.vectors, real) for each in (ours, theirs))
        rows.append(compare(f"{name} (scorer features)", n, first, second, False, DISTANCE_DRAWS, biased=biased))
    kinds = [garment.id for garment in GARMENTS]
    first, second = (_inception(garment_probabilities(each.seen, kinds)) for each in (ours, theirs))
    return [*rows, compare("garment Inception-Score analogue", n, first, second, True, DISTANCE_DRAWS, biased=True)]


def compare_all(
    scenes: Sequence[Scene],
    ours: Judged,
    theirs: Judged,
    real: np.ndarray,
    prompts: Sequence[str] = (),
    clip: ClipJudge | None = None,
    seeds: int = 1,
) -> list[Comparison]:
    """Every metric that the pictures allow.

    `seeds`: pictures of one scene that follow each other (for diversity). Distribution metrics are left out under
    their least number of pictures; ask `compare_distributions` for them to be told so.
    """
    rows = compare_accuracy(scenes, ours, theirs)
    if clip is not None:
        words = clip.texts(prompts)
        first, second = (clip_scores(words, clip.pictures(each.pictures)) for each in (ours, theirs))
        rows.append(compare_means("CLIP score", first, second))
    least = max(FEWEST, real.shape[1] + 1, len(GARMENTS) + 1)
    if len(ours.pictures) >= least and len(real) >= least:
        rows += compare_distributions(ours, theirs, real)
    if seeds > 1:
        first, second = (diversity(each.vectors.reshape(-1, seeds, each.vectors.shape[1])) for each in (ours, theirs))
        rows.append(compare_means("diversity over seeds", first, second))
    return [*rows, compare_means("sharpness", sharpness(ours.pictures), sharpness(theirs.pictures))]


def _share(hits: np.ndarray, asked: np.ndarray) -> Measure:
    return lambda pick: float(hits[pick].sum() / asked[pick].sum()) if asked[pick].sum() else math.nan


def _frechet(vectors: np.ndarray, real: np.ndarray) -> Measure:
    """The distance, whose bias comes from both sets: real pictures are drawn anew too, the same for both models."""
    whole = np.arange(len(vectors))

    def measure(pick: np.ndarray) -> float:
        if np.array_equal(pick, whole):
            return frechet_distance(vectors, real)
        others = np.random.default_rng(pick).integers(0, len(real), len(real))
        return frechet_distance(vectors[pick], real[others])

    return measure


def _kernel(vectors: np.ndarray, real: np.ndarray) -> Measure:
    return lambda pick: kernel_distance(vectors, real, pick)


def _inception(probabilities: np.ndarray) -> Measure:
    return lambda pick: inception_analogue(probabilities[pick])
