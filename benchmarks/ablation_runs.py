"""The runs of the ablation: captions, the four ways to teach, and each trained once.

In: the recipe ko_clip/config/ablation.yaml, a seed, a number of steps. Out: a folder a run, with its encoder. A run
that is finished is taken as it is, one that was killed goes on.
"""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from fashion import captions_korean
from fashion.caption_noise import add_noise
from fashion.captions import CaptionContent, caption
from fashion.scene import Scene, scenes
from ko_clip.distill import distil
from ko_clip.drawn import canonical, content_of
from ko_clip.recipe import Recipe, recipe_from
from ko_clip.unet_stage import distil_through_unet
from training.state import finished

SHARED = Path(__file__).parents[1] / "ko_clip/config/ablation.yaml"
NAMED = ("garment", "color", "pattern")  # what a caption names, and so what is scored
STREAM = 31  # of the scenes whose captions are learned from
PAIRS = 2000
Settings = Mapping[str, object]


@dataclass(frozen=True)
class Variant:
    """One way to teach: `changes` go over the shared recipe; `through`: share of the steps that go through the U-Net;
    `times`: how many times the steps of the others.
    """

    name: str
    title: str
    changes: Settings = field(default_factory=dict)
    through: float = 0.0
    times: float = 1.0

    def steps(self, budget: int) -> tuple[int, int]:
        """Steps of the text stage and of the U-Net stage."""
        whole = round(budget * self.times)
        unet = round(whole * self.through)
        return whole - unet, unet


_UNET = {
    "unet": "checkpoints/base", "scheduler": "checkpoints/base/scheduler", "batch": 4, "inference_steps": 4,
    "learning_rate": 0.001, "warmup": 5, "ema": 0.9, "threads": 1, "precision": "float32",
}  # fmt: skip
_READERS = {"reader": "checkpoints/base", "scene_reader": "checkpoints/clip/reading/reader.safetensors"}
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("pooled", "pooled MSE alone (the ancestor's)", {"text": {"sequence_weight": 0}}),
        Variant("sequence", "pooled + sequence"),
        Variant("longer", "pooled + sequence, 3.5 times the steps", times=3.5),  # the processor time of cross-attention
        Variant("unet", "pooled + sequence, then U-Net stage", {"unet": _UNET}, through=0.2),
        Variant("cross-attention", "pooled + cross-attention (the project's own)",
                {"heads": {"base": _READERS}, "text": {"sequence_weight": 0}}),
    )
}  # fmt: skip


def recipe_of(variant: Variant, shared: Settings, seed: int, budget: int, runs: Path) -> Recipe:
    """The variant's recipe for one seed, in a folder of its own."""
    text, through = variant.steps(budget)
    stages: dict[str, object] = {"text": {"steps": text}} | ({"unet": {"steps": through}} if through else {})
    corpus = {**shared["corpora"][0], "path": str(runs / "pairs.csv")}  # type: ignore[index]
    stages |= {"seed": seed, "run": str(runs / f"{variant.name}-{seed}"), "corpora": [corpus]}
    return recipe_from(merged(merged(shared, variant.changes), stages))


def korean(scene: Scene, i: int, noise: str | None = None) -> str:
    """A short Korean caption that names garment, colour and pattern: 네이비 나뭇잎무늬 블라우스."""
    text, draw = captions_korean.say(_content(scene, i), random.Random(i), "noun")[0], random.Random(i)
    return add_noise(text, noise, "ko", draw) if noise else text


def english(scene: Scene, i: int) -> str:
    """The one English wording of the same: a navy leaf-print blouse."""
    return canonical(_content(scene, i))


def _content(scene: Scene, i: int) -> CaptionContent:
    content = content_of(caption(scene, "en", seed=i), scene)
    fields = tuple(tuple(name for name in names if name in NAMED) for names in content.fields)
    return replace(content, fields=fields, background=None, style=None)


def write_pairs(path: Path, count: int = PAIRS) -> None:
    """The captions to learn from, as the table that the recipe names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ((korean(scene, i), english(scene, i)) for i, scene in enumerate(scenes(STREAM, count, "train", 1)))
        csv.writer(file).writerows([("ko", "en"), *rows])


def merged(data: Settings, changes: Settings) -> dict[str, object]:
    """`data` with `changes` over it, mapping by mapping."""
    found = dict(data)
    for key, value in changes.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return found


def train(recipe: Recipe) -> tuple[Path, float]:
    """The finished encoder of a recipe and its processor minutes: trained, gone on with, or as it lies there.

    Minutes count from the last start. Raises ValueError where the folder holds a run of another recipe, SystemExit
    where a signal asked to stop.
    """
    run = Path(recipe.run)
    stages, minutes = [run, run / "unet"] if recipe.unet.steps else [run], run / "minutes.json"
    check_same(recipe, run / "recipe.yaml")
    if not minutes.is_file():
        clock = time.process_time()
        distil(recipe)
        if recipe.unet.steps and finished(run):
            distil_through_unet(recipe)
        if not finished(run) or not finished(stages[-1]):
            raise SystemExit(f"{run} was stopped: the same command goes on with it")
        minutes.write_text(json.dumps({"minutes": (time.process_time() - clock) / 60}) + "\n", "utf-8")
    return stages[-1] / "model", json.loads(minutes.read_text("utf-8"))["minutes"]


def check_same(recipe: Recipe, file: Path) -> None:
    """Raise ValueError where `file` is there and tells of another recipe."""
    if file.is_file():
        there, asked = yaml.safe_load(file.read_text("utf-8")), json.loads(json.dumps(asdict(recipe)))
        if wrong := [key for key in asked if asked[key] != there.get(key)]:
            raise ValueError(f"{file} differs in {', '.join(wrong)}: give another --runs, or remove that run's folder")
