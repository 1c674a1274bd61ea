"""Sets of scenes, the pictures a pipeline makes of them, and what the reporting scorer sees: shared by the benchmarks
of the checkpoint and of the Korean encoder."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from diffusion.pipeline import Drawing, TwoStagePipeline
from diffusion.plan import make_plan
from diffusion.precision import dtype_name
from diffusion.request import DrawSettings, Shot
from fashion.captions import caption
from fashion.drawing import draw
from fashion.scene import Scene, permutation_outfits, scenes
from fashion.scorer import Detection, Scorer
from fashion.scoring import GarmentScore, score

Scores = list[list[GarmentScore]]
Sightings = Sequence[Sequence[Detection]]  # per picture, the garments that a scorer saw
Shares = tuple[np.ndarray, np.ndarray]  # per picture, counts of what is right and of what was asked
BATCH = 8
SCENE_STREAM = 91  # training reads stream 1, its own checks 9


@dataclass
class DrawnSet:
    """`prompts`, the `asked` scene and the seed of each picture, all of one length; pictures once drawn."""

    name: str
    asked: list[Scene]
    prompts: list[str]
    seeds: list[int]
    base: list[Image.Image] = field(default_factory=list)
    final: list[Image.Image] = field(default_factory=list)

    def redraw(self, prompts: Sequence[str], name: str) -> DrawnSet:
        """The same scenes and seeds with other prompts, not drawn yet."""
        return DrawnSet(name, self.asked, list(prompts), self.seeds)


def scene_set(
    name: str,
    asked: Sequence[Scene],
    seeds: int,
    language: str = "en",
    text: Callable[[Scene, int], str] | None = None,
) -> DrawnSet:
    """`seeds` pictures of every scene. `text(scene, i)` writes the prompt (default: a full caption)."""

    def full(scene: Scene, i: int) -> str:
        return caption(scene, language, seed=i).text

    prompts = [(text or full)(scene, i) for i, scene in enumerate(asked)]
    rows = [(scene, prompt, 1000 * i + s) for i, (scene, prompt) in enumerate(zip(asked, prompts, strict=True))
            for s in range(seeds)]  # fmt: skip
    return DrawnSet(name, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def standard_scenes(count: int) -> dict[str, list[Scene]]:
    """Scenes that no training saw: one garment, outfits of two and three, held-out combinations, permutations."""
    return {
        "one garment": list(scenes(SCENE_STREAM, count, "train", 1)),
        "outfits": [s for n in (2, 3) for s in scenes(SCENE_STREAM + n, -(-count // 2), "train", n)],
        "held-out combinations": list(scenes(SCENE_STREAM, count, "held_out", 1)),
        "permutations": [Scene(garments, "figure") for garments in permutation_outfits()],
    }


class PictureStore:
    """Drawn pictures of both stages in a folder, by what decides them: a benchmark that was stopped goes on, and what
    another one drew is not drawn again. Not a part of it is the code that draws: empty the folder when that changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, pipeline: TwoStagePipeline, shot: Shot, settings: DrawSettings) -> list[Image.Image] | None:
        """The base's and the final picture, or None where they are not drawn yet."""
        paths = self._paths(pipeline, shot, settings)
        if not all(path.exists() for path in paths):
            return None
        pictures = [Image.open(path) for path in paths]
        for picture in pictures:
            picture.load()
        return pictures

    def write(
        self, pipeline: TwoStagePipeline, shots: Sequence[Shot], settings: DrawSettings, drawing: Drawing
    ) -> None:
        for shot, *pictures in zip(shots, drawing.base_images, drawing.images, strict=True):
            for path, picture in zip(self._paths(pipeline, shot, settings), pictures, strict=True):
                beside = path.with_suffix(".writing")
                picture.save(beside, "PNG", compress_level=1)
                beside.replace(path)

    def _paths(self, pipeline: TwoStagePipeline, shot: Shot, settings: DrawSettings) -> tuple[Path, Path]:
        encoder = pipeline.text_encoder
        decides = {
            "checkpoint": pipeline.checkpoint_id,
            "encoder": getattr(encoder, "encoder_id", None) or dict(encoder.teachers),
            "dtype": dtype_name(pipeline.stages["base"].unet.dtype),
            "settings": vars(make_plan(pipeline.stages, settings, vary=False).settings()),
            "prompt": [shot.prompt, shot.negative_prompt, shot.seed],
        }
        name = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]
        return self._folder / f"{name}-base.png", self._folder / f"{name}.png"


def draw_set(
    pipeline: TwoStagePipeline, what: DrawnSet, settings: DrawSettings, store: PictureStore | None = None
) -> DrawnSet:
    """Draw every picture of the set, a few at a time; both stages are kept. What `store` has is not drawn again."""
    shots = [Shot(prompt, seed=seed) for prompt, seed in zip(what.prompts, what.seeds, strict=True)]
    drawn = [store.read(pipeline, shot, settings) if store else None for shot in shots]
    missing = [i for i, pictures in enumerate(drawn) if pictures is None]
    for start in tqdm(range(0, len(missing), BATCH), desc=what.name, disable=not sys.stderr.isatty()):
        places = missing[start : start + BATCH]
        part = [shots[i] for i in places]
        drawing = pipeline.draw(part, settings)
        for i, *pictures in zip(places, drawing.base_images, drawing.images, strict=True):
            drawn[i] = pictures
        if store:
            store.write(pipeline, part, settings, drawing)
    for pictures in drawn:
        assert pictures is not None
        what.base.append(pictures[0])
        what.final.append(pictures[1])
    return what


@cache
def true_drawing(scene: Scene, size: int = 256) -> Image.Image:
    """What the renderer makes of the scene, `size` px a side: the ceiling. Drawn once, however many seeds and tables
    ask for it."""
    return Image.fromarray(draw(scene, size))


def scores_of(scorer: Scorer, asked: Sequence[Scene], pictures: Sequence[Image.Image]) -> Scores:
    """Per picture, per asked garment, what was seen right."""
    return judged(asked, scorer.detect(pictures))


def judged(asked: Sequence[Scene], seen: Sightings) -> Scores:
    """The same of pictures that were looked at already."""
    return [score(scene, found) for scene, found in zip(asked, seen, strict=True)]


def ceiling(scorer: Scorer, what: DrawnSet) -> Scores:
    """The same of the true drawings of the set's scenes, each looked at once."""
    asked = list(dict.fromkeys(what.asked))
    scores = dict(zip(asked, scores_of(scorer, asked, list(map(true_drawing, asked))), strict=True))
    return [scores[scene] for scene in what.asked]


def rate(scores: Scores, attribute: str, scenes: Sequence[Scene]) -> tuple[float, float, float]:
    """Percent of garments with `attribute` right ("all": everything; "each": percent of attributes) and its 95 %
    bootstrap interval over the `scenes` that the pictures were to show."""
    hits, asked = by_scene(counts(scores, attribute), scenes)
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(hits), (1000, len(hits)))
    samples = hits[picks].sum(1) / np.maximum(asked[picks].sum(1), 1)
    low, high = np.percentile(100 * samples, [2.5, 97.5])
    return 100 * hits.sum() / max(asked.sum(), 1), low, high


def by_scene(shares: Shares, scenes: Sequence[Scene]) -> Shares:
    """The sums over the pictures of each scene. What is resampled for an interval are scenes: pictures of one scene are
    right or wrong together more often than others, and would make the interval look narrower than it is."""
    place: dict[Scene, int] = {}
    places = [place.setdefault(scene, len(place)) for scene in scenes]
    hits, asked = (np.bincount(places, counted) for counted in shares)
    return hits, asked


def kept(before: Scores, after: Scores) -> Shares:
    """Per picture, how many attributes are right after the second stage, of those that were right before it."""
    pairs = [
        [(one.right[name], other.right[name]) for one, other in zip(x, y, strict=True) for name in one.right]
        for x, y in zip(before, after, strict=True)
    ]
    return (
        np.array([sum(was and still for was, still in picture) for picture in pairs], float),
        np.array([sum(was for was, _ in picture) for picture in pairs], float),
    )


def counts(scores: Scores, attribute: str) -> Shares:
    """Per picture, how many garments have `attribute` right, and of how many it was asked; "all": how many have all of
    it right; "each": how many attributes are."""

    def answers(one: GarmentScore) -> list[bool | None]:
        if attribute == "each":
            return list(one.right.values())
        return [one.all_right if attribute == "all" else one.right.get(attribute)]

    rows = [[answer for one in picture for answer in answers(one)] for picture in scores]
    known = [[answer for answer in row if answer is not None] for row in rows]
    return np.array([sum(row) for row in known], float), np.array([len(row) for row in known], float)
