"""Train any CLIP in the Hugging Face layout further on an imagefolder, and keep the result only if it finds better.

In: a local CLIPModel folder (safetensors), pictures with texts (`python -m fashion export` or `prepare` write them).
Out: a folder of the same layout, or none, and in the run's folder table.png and ranks.png (before and after). Pairs are
split once by seed: held-out pairs measure before and after, watched pairs choose the best state on the way, the rest is
trained on. So the pairs that measure a state have not chosen it. Of a data set with its own test rows (column split)
the held-out pairs are test rows, and no test row is trained on.

Better means a higher R@1, mean of both ways: finding is what a CLIP is for, and it does not move with the scale, which
the loss follows. Equal R@1 (common with few pairs) is decided by the held-out loss. A result that is no better is kept
beside as OUT-unpromoted. Exit status: 0 promoted, 2 wrong input, 3 not promoted.
Ref: Radford et al. 2021, arXiv:2103.00020; contrastive fine-tuning: Goyal et al. 2023, arXiv:2212.00638.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from transformers import CLIPModel

from ko_clip.clip_folder import (
    FinetunedFacts,
    clip_fingerprint,
    finetuned_facts,
    image_side,
    open_clip,
    text_settings,
    write_clip,
)
from ko_clip.finetune_charts import draw_comparison
from ko_clip.imagefolder import PairStore, Preprocessing, open_pairs, read_pairs, split_pairs
from ko_clip.train import quiet_libraries
from ko_clip.train_further import TRAINED, PairReader, better, measure, train_further
from training.command import run_command
from training.folders import keep_plan
from training.run import Run
from training.schedule import TrainerSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinetuneSettings:
    """`held_out` pairs measure before and after; `minutes` is how long this leg may train, None until `steps`."""

    model: Path
    pictures: Path
    out: Path
    run: Path | None = None
    train: str = "all"
    text: tuple[str, ...] = ("text",)
    held_out: int = 5000
    seed: int = 0
    steps: int = 1000
    minutes: float | None = None
    batch: int = 64
    learning_rate: float | None = None
    measure_every: int = 100

    def __post_init__(self) -> None:
        if self.train not in TRAINED:
            raise ValueError(f"train is {self.train!r}: use {', '.join(TRAINED)}")
        for name in ("steps", "measure_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least 1")
        if self.batch < 2:
            raise ValueError(f"batch is {self.batch}: a contrast needs at least 2 pairs")
        if self.learning_rate is not None and self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}: give more than 0, or leave it out")
        if self.model.resolve() == self.out.resolve():
            raise ValueError(f"{self.out} is the model itself: name another --out, so that both can be compared")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())) and not finetuned_facts(self.out):
            raise ValueError(f"{self.out} holds something else than a fine-tuned CLIP: name another --out")

    @property
    def run_folder(self) -> Path:
        return self.run or self.out.with_name(f"{self.out.name}-run")

    def schedule(self, clip: CLIPModel) -> TrainerSettings:
        """By default 1e-5 for towers as wide as the public ones (as Goyal et al. 2023), 1e-4 for narrower ones."""
        usual = 1e-5 if text_settings(clip).hidden_size >= 512 else 1e-4
        return TrainerSettings(
            steps=self.steps, minutes=self.minutes, learning_rate=self.learning_rate or usual,
            warmup=max(1, min(100, self.steps // 10)), sample_every=self.measure_every,
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of a leg: the folder with the trained weights, the figures, one line that says it."""

    promoted: bool
    folder: Path
    before: dict[str, float]
    after: dict[str, float]
    line: str


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, say in one line what became of it."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    quiet_libraries()
    found: list[Outcome] = []

    def work() -> None:
        settings = FinetuneSettings(**{f.name: getattr(args, f.name) for f in fields(FinetuneSettings)})
        try:
            found.append(finetune(settings))
        except FloatingPointError as error:  # a loss that is no number
            raise ValueError(str(error)) from error
        print(found[0].line)

    return run_command(work) or (0 if found[0].promoted else 3)


def finetune(settings: FinetuneSettings) -> Outcome:
    """Measure, train for one leg, measure the best state on the same pairs, keep it where it finds better."""
    clip, tokenizer, dtype = open_clip(settings.model)
    # What cannot be split is refused before hours of reading pictures.
    split_pairs(read_pairs(settings.pictures, settings.text)[0], settings.held_out, settings.seed)
    run = _open_run(settings)
    store = open_pairs(
        settings.pictures, settings.text, Preprocessing.of(settings.model, image_side(clip)),
        run.folder,
    )  # fmt: skip
    _say_left_out(store)
    split = split_pairs(store.pairs, settings.held_out, settings.seed)
    origin = {
        "model": clip_fingerprint(settings.model), "pairs": store.key, "held_out": settings.held_out,
        "seed": settings.seed, "text": list(settings.text),
    }  # fmt: skip
    _check_goes_on(settings, run, {**origin, "train": settings.train})
    clip.to(run.device)  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
    pairs = PairReader(store, tokenizer, clip)
    before = measure(clip, pairs, split.held_out, "before")
    logger.info("before: %s", json.dumps(before.figures))
    best = train_further(
        clip, pairs, split, run, settings.schedule(clip), train=settings.train, batch=settings.batch, seed=settings.seed
    )
    best.load_into(clip)
    # What is measured is what is written.
    clip.to(dtype).float()  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
    after = measure(clip, pairs, split.held_out, "after")
    logger.info("after: %s", json.dumps(after.figures))
    for chart in draw_comparison(before, after, run.folder):
        logger.info("drew %s", chart)
    facts: FinetunedFacts = {
        "step": best.step, "train": settings.train, "before": before.figures, "after": after.figures, "origin": origin,
        "held_out": settings.held_out, "trained_on": len(split.trained), "left_out": len(store.left_out),
        "model": str(settings.model),
    }  # fmt: skip
    clip.to(dtype)  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
    return _promote(clip, settings, facts)


def _open_run(settings: FinetuneSettings) -> Run:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bfloat16 = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return Run(settings.run_folder, settings.out, device, bfloat16)


def _check_goes_on(settings: FinetuneSettings, run: Run, plan: Mapping[str, object]) -> None:
    """A run goes on only as what it was begun; a model in OUT is a rival only on the same held-out pairs."""
    keep_plan(run.folder, plan, "remove it to begin anew, or name another --run")
    there = finetuned_facts(settings.out)
    if there and there["origin"] != {name: value for name, value in plan.items() if name != "train"}:
        raise ValueError(f"{settings.out} holds a CLIP from another model, data or split: name another --out")


def _say_left_out(store: PairStore, shown: int = 10) -> None:
    if store.left_out:
        logger.warning("%d rows or pictures left out, %d pairs kept", len(store.left_out), len(store))
        for line in store.left_out[:shown]:
            logger.warning("  %s", line)
        if len(store.left_out) > shown:
            logger.warning("  … and %d more", len(store.left_out) - shown)


# --- keeping --------------------------------------------------------------------------------------------------------


def _promote(clip: CLIPModel, settings: FinetuneSettings, facts: FinetunedFacts) -> Outcome:
    """Write OUT where the result beats the model, and what an earlier leg left in OUT; else OUT-unpromoted."""
    before, after = facts["before"], facts["after"]
    there = finetuned_facts(settings.out)
    rival, name = (there["after"], f"the model in {settings.out}") if there else (before, str(settings.model))
    figures = (
        f"R@1 {rival['r1']:.2f} → {after['r1']:.2f} %, loss {rival['loss']:.4f} → {after['loss']:.4f} "
        f"on {settings.held_out} held-out pairs"
    )
    if there and after == there["after"]:
        return Outcome(True, settings.out, before, after, f"nothing better since: {settings.out} stays; {figures}")
    if better(after, rival):
        write_clip(clip, settings.out, settings.model, facts)
        return Outcome(True, settings.out, before, after, f"promoted: {figures}: {settings.out}")
    aside = settings.out.with_name(f"{settings.out.name}-unpromoted")
    write_clip(clip, aside, settings.model, facts)
    kept = "stays as it was" if there else "is not written"
    line = f"not promoted, no better than {name}: {figures}: {settings.out} {kept}; trained weights are in {aside}"
    return Outcome(False, aside, before, after, line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.finetune", description=__doc__)
    parser.add_argument("model", type=Path, help="a local CLIP in the Hugging Face layout, such as checkpoints/clip")
    parser.add_argument("pictures", type=Path, help="an imagefolder with metadata.jsonl: file_name, text")
    parser.add_argument("--out", type=Path, required=True, help="where the model goes if it finds better")
    parser.add_argument("--run", type=Path, help="resumable state and small pictures (default: OUT-run)")
    parser.add_argument("--train", choices=TRAINED, default="all", help="projections and scale always learn")
    parser.add_argument("--text", nargs="+", default=("text",), metavar="COLUMN", help="columns; the first is measured")
    parser.add_argument("--held-out", type=int, default=5000, help="pairs to measure on (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of the shuffling")
    parser.add_argument("--steps", type=int, default=1000, help="length of the schedule (default %(default)s)")
    parser.add_argument("--minutes", type=float, help="stop this leg after so many minutes; run again to go on")
    parser.add_argument("--batch", type=int, default=64, help="pairs of a step (default %(default)s)")
    parser.add_argument("--learning-rate", type=float, help="default: 1e-5, for towers under 512 wide 1e-4")
    parser.add_argument("--measure-every", type=int, default=100, help="steps between looks at the watched pairs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
