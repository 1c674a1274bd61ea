"""Is what people type drawn as they mean it, and another way for every seed? `python -m benchmarks.wording [--seeds 2]`

In: the two hundred prompts of `fashion.wordings`, read as the studio reads them (`fashion.prompt_reading`, then
`fashion.completion`), the Korean-English encoder, the checkpoint; the reporting scorer. Out: percent of prompts whose
picture shows every garment that is named, in its colour and with what else is named of it; whose background and style
are as said; and how far eight seeds of six short prompts are apart, beside true drawings of the same words with
everything else sampled. `--beside` measures another checkpoint, say the last one, in the same run.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.checkpoint import save_grid
from benchmarks.drawn import DrawnSet, PictureStore, draw_set, true_drawing
from diffusion.load import load_pipeline
from diffusion.metrics import diversity
from diffusion.pipeline import TwoStagePipeline
from diffusion.request import DrawSettings
from fashion.completion import completed
from fashion.lexicon import GARMENT_BY_ID
from fashion.prompt_reading import read_prompt
from fashion.scene import Scene, garments_of, sample_background, sample_style
from fashion.scorer import Detection, Scorer
from fashion.setting import SettingReader
from fashion.wordings import WordedGarment, Wording, wordings
from ko_clip.encoder import PromptEncoder

SHORT = ("빨간 원피스", "흰 티셔츠", "검은 코트", "분홍 저고리", "초록 가방", "파란 치마")
EIGHT = 8  # seeds of each
SIDE = 64  # pixels at which pictures are compared
_READ = ("color", "pattern", "sleeve", "hem")  # of what is named, what the scorer reads
MEASURES = ("garments", "no print unasked", "background", "style", "everything")


@dataclass(frozen=True)
class Way:
    """A checkpoint with its encoder, and whether what a prompt leaves open is completed."""

    name: str
    pipeline: TwoStagePipeline
    completes: bool

    def text(self, prompt: str, seed: int) -> str:
        corrected = read_prompt(prompt)
        return completed(corrected, seed).text if self.completes else corrected


@dataclass(frozen=True)
class Judge:
    """Who looks at the pictures; neither took part in any training of what draws."""

    scorer: Scorer
    setting: SettingReader

    def right(self, asked: Sequence[Wording], pictures: Sequence[Image.Image]) -> list[dict[str, bool]]:
        """Per picture, by measure, whether it is as asked; what a prompt does not name is left out."""
        settings = self.setting.read(pictures)
        return [
            judged(wording, seen, *setting)
            for wording, seen, setting in zip(asked, self.scorer.detect(pictures), settings, strict=True)
        ]


def judged(wording: Wording, seen: Sequence[Detection], background: str, style: str) -> dict[str, bool]:
    """What of one picture is as its prompt says."""
    found = [next((one for one in seen if one.garment == asked.kind), None) for asked in wording.garments]
    pairs = list(zip(wording.garments, found, strict=True))
    right = {
        "garments": all(one is not None and _as_named(asked, one) for asked, one in pairs),
        "no print unasked": all(
            one is not None and one.pattern == "solid" for asked, one in pairs if asked.get("pattern") is None
        ),
    }
    if wording.background:
        right["background"] = background == wording.background
    if wording.style:
        right["style"] = style == wording.style
    return {**right, "everything": all(right.values())}


def _as_named(asked: WordedGarment, seen: Detection) -> bool:
    return all(getattr(seen, field) == id for field, id in asked.fields if field in _READ)


def wording_set(way: Way, asked: Sequence[Wording], seeds: int) -> DrawnSet:
    """`seeds` pictures of each prompt, as the way words it."""
    rows = [(1000 * i + s, wording) for i, wording in enumerate(asked) for s in range(seeds)]
    prompts = [way.text(wording.prompt, seed) for seed, wording in rows]
    return DrawnSet(way.name, [], prompts, [seed for seed, _ in rows])


def share(right: Sequence[dict[str, bool]], measure: str, seeds: int) -> tuple[float, float, float, int]:
    """Percent of pictures that are right, its 95 % bootstrap interval over prompts, and how many were asked."""
    rows = [right[i : i + seeds] for i in range(0, len(right), seeds)]
    hits = np.array([np.mean([one[measure] for one in row]) for row in rows if measure in row[0]])
    if not len(hits):
        return float("nan"), float("nan"), float("nan"), 0
    picks = np.random.default_rng(0).integers(0, len(hits), (1000, len(hits)))
    low, high = np.percentile(100 * hits[picks].mean(1), [2.5, 97.5])
    return 100 * float(hits.mean()), low, high, len(hits) * seeds


def wording_table(
    ways: Sequence[Way], asked: Sequence[Wording], judge: Judge, seeds: int, settings: DrawSettings,
    store: PictureStore | None, grids: Path | None,
) -> list[str]:  # fmt: skip
    """Korean and English apart, then by group, each way in its column."""
    found: dict[str, list[dict[str, bool]]] = {}
    every = [wording for wording in asked for _ in range(seeds)]
    for way in ways:
        what = draw_set(way.pipeline, wording_set(way, asked, seeds), settings, store)
        found[way.name] = judge.right(every, what.final)
        if grids:
            for group in dict.fromkeys(w.group for w in asked):
                chosen = [p for p, w in zip(what.final, every, strict=True) if w.group == group][: 48 * seeds : seeds]
                save_grid(chosen, grids / f"wording-{way.name.replace(' ', '-').replace(',', '')}-{group}.webp", 8)
    lines = ["| prompts | measure | pictures | " + " | ".join(way.name for way in ways) + " |",
             "|---|---|---:|" + "---:|" * len(ways)]  # fmt: skip
    parts = {"Korean": ("language", "ko"), "English": ("language", "en")}
    parts |= {group: ("group", group) for group in dict.fromkeys(wording.group for wording in asked)}
    for name, (field, value) in parts.items():
        for measure in MEASURES:
            cells, count = [], 0
            for way in ways:
                rows = [r for r, w in zip(found[way.name], every, strict=True) if getattr(w, field) == value]
                percent, low, high, count = share(rows, measure, seeds)
                cells.append(f"{percent:.1f} ({low:.1f} to {high:.1f})")
            if count:
                lines.append(f"| {name} | {measure} | {count} | " + " | ".join(cells) + " |")
    return lines


def any_scene(prompt: str, seed: int) -> Scene:
    """A scene that shows what a short prompt names, everything else as the domain has it; no print unasked."""
    from fashion.vocabulary import known_words

    named = {span.field: span.id for span in known_words(prompt)}
    rng = random.Random(f"any/{prompt}/{seed}")
    (garment,) = garments_of(rng, [GARMENT_BY_ID[named["garment"] or ""]])
    garment = replace(garment, color=named["color"], pattern=named.get("pattern", "solid"))
    layout = "figure" if rng.random() < 0.3 else "alone"
    return Scene((garment,), layout, sample_background(rng), sample_style(rng), rng.randrange(2**31))


def pixel_distance(pictures: Sequence[Image.Image]) -> float:
    """Mean difference in levels of 255 over all pairs of pictures, each shrunk to `SIDE` pixels."""
    small = np.stack([np.asarray(p.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) for p in pictures])
    pairs = [(i, j) for i in range(len(small)) for j in range(i)]
    return float(np.mean([np.abs(small[i] - small[j]).mean() for i, j in pairs]))


def diversity_table(
    ways: Sequence[Way], scorer: Scorer, settings: DrawSettings, store: PictureStore | None, grids: Path | None
) -> list[str]:
    """How far the seeds of a short prompt are apart, and true drawings of the same words."""

    def apart(pictures: Sequence[Image.Image]) -> tuple[float, float]:
        rows = [pictures[i : i + EIGHT] for i in range(0, len(pictures), EIGHT)]
        vectors = scorer.vectors(pictures).reshape(len(rows), EIGHT, -1)
        return float(np.mean([pixel_distance(row) for row in rows])), float(diversity(vectors).mean())

    sets = [[true_drawing(any_scene(prompt, 100 * k + s)) for prompt in SHORT for s in range(EIGHT)] for k in range(4)]
    truth = np.mean([apart(pictures) for pictures in sets], axis=0)
    lines = [
        "| pictures of | pixels at 64 px, levels | of the drawings' | scorer features | of the drawings' |",
        "|---|---:|---:|---:|---:|",
        f"| true drawings | {truth[0]:.1f} | 100 % | {truth[1]:.4f} | 100 % |",
    ]
    for way in ways:
        rows = [(way.text(prompt, seed), seed) for prompt in SHORT for seed in range(EIGHT)]
        what = DrawnSet(f"seeds, {way.name}", [], [text for text, _ in rows], [seed for _, seed in rows])
        pixels, features = apart(draw_set(way.pipeline, what, settings, store).final)
        lines.append(f"| {way.name} | {pixels:.1f} | {100 * pixels / truth[0]:.0f} % | {features:.4f} "
                     f"| {100 * features / truth[1]:.0f} % |")  # fmt: skip
        if grids:
            pairs = [
                row for i in range(0, len(rows), EIGHT) for row in (sets[0][i : i + EIGHT], what.final[i : i + EIGHT])
            ]
            save_grid(
                [p for row in pairs for p in row],
                grids / f"seeds-{way.name.replace(' ', '-').replace(',', '')}.webp",
                EIGHT,
            )
    return lines


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wording", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="pictures a prompt (default %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="only every n-th prompt")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--encoder", type=Path, help="the Korean encoder (default: the checkpoint's own)")
    parser.add_argument("--beside", type=Path, help="another checkpoints folder, with its own encoder, as typed")
    parser.add_argument("--guidance", type=float, help="guidance of the base, in place of the checkpoint's")
    parser.add_argument("--only", choices=("wording", "diversity"), help="one of the two tables")
    parser.add_argument("--ways", nargs="+", choices=("typed", "completed"), default=["typed", "completed"])
    parser.add_argument("--base-only", action="store_true", help="leave the refiner out")
    parser.add_argument("--keep", type=Path, help="keep the pictures in this folder, and draw none that is there")
    parser.add_argument("--grids", type=Path, help="also write grids of pictures into this folder")
    options = parser.parse_args(argv)
    scorer = Scorer.load(options.checkpoints / "scorers", "reporting")
    judge = Judge(scorer, SettingReader.load(options.checkpoints / "scorers", scorer))
    store = PictureStore(options.keep) if options.keep else None
    if options.grids:
        options.grids.mkdir(parents=True, exist_ok=True)
    ways = []
    if options.beside:
        other = load_pipeline(options.beside, PromptEncoder.load(options.beside / "korean"))
        ways.append(Way("the other, as typed", other, False))
    encoder = options.encoder or options.checkpoints / "korean"
    pipeline = load_pipeline(options.checkpoints, PromptEncoder.load(encoder))
    names = {"typed": "as typed", "completed": "completed"}
    ways += [Way(names[name], pipeline, name == "completed") for name in options.ways]
    settings = DrawSettings(refine=not options.base_only, guidance_scale=options.guidance)
    if options.only != "diversity":
        asked = wordings()[:: options.every]
        print("\n".join(wording_table(ways, asked, judge, options.seeds, settings, store, options.grids)) + "\n")
    if options.only != "wording":
        print("\n".join(diversity_table(ways, scorer, settings, store, options.grids)))


if __name__ == "__main__":
    main()
