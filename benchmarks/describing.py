"""How often what an upload shows is named right: the describer that ships, and the checkpoint's CLIP beside it.

    python -m benchmarks.describing --pictures 200

In: drawings of one garment that nothing was trained on (held-out combinations). CLIP answers in the words it was
trained on, its English captions: once with bare names ("a dress"), once with the picture's whole caption in which only
the garment's kind differs, so that nothing but the kind can decide.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, CLIPModel

from benchmarks.drawn import true_drawing
from fashion.captions import caption
from fashion.describing import Describer
from fashion.lexicon import GARMENTS, GarmentKind
from fashion.replacing import editable_words
from fashion.scene import Garment, Scene, scenes
from ko_clip.contrastive import image_vectors, text_vectors, to_tensor, tokenize

STREAM = 94
FIELDS = ("garment", "color", "pattern", "background", "style")


def described(describer: Describer, asked: Sequence[Scene], language: str) -> dict[str, float]:
    """Percent of pictures whose words are named, by field; a solid cloth is named by no word."""
    right: dict[str, list[bool]] = {field: [] for field in FIELDS}
    for scene in asked:
        named = {(word.field, word.id) for word in editable_words(describer.describe(true_drawing(scene), language))}
        for field, id in _truth(scene).items():
            there = [other for kind, other in named if kind == field]
            right[field].append(there == ([] if id == "solid" else [id]))
    return {field: 100 * float(np.mean(answers)) for field, answers in right.items()}


def clip_kinds(folder: Path, asked: Sequence[Scene]) -> tuple[float, float]:
    """Percent of kinds that CLIP names: by bare names, by captions that differ in the kind alone."""
    clip, tokenizer = CLIPModel.from_pretrained(folder).float().eval(), AutoTokenizer.from_pretrained(folder)
    pictures = to_tensor(np.stack([np.asarray(true_drawing(scene)) for scene in asked]))
    with torch.inference_mode():
        seen = image_vectors(clip, pictures)  # (n, d)
        bare = text_vectors(clip, tokenize(tokenizer, [f"a {kind.en[0]}" for kind in GARMENTS]))
        whole = [
            text_vectors(clip, tokenize(tokenizer, [caption(_as(scene, kind), "en", 1).text for kind in GARMENTS]))
            for scene in asked
        ]
    true = np.array([scene.garments[0].kind for scene in asked])
    kinds = np.array([kind.id for kind in GARMENTS])
    by_name = kinds[(seen @ bare.T).argmax(dim=1).numpy()]
    by_caption = kinds[[int((vector @ texts.T).argmax()) for vector, texts in zip(seen, whole, strict=True)]]
    return 100 * float((by_name == true).mean()), 100 * float((by_caption == true).mean())


def _as(scene: Scene, kind: GarmentKind) -> Scene:
    """The scene with a garment of another kind, everything else as near as that kind allows."""
    was = scene.garments[0]

    def near(value: str | None, options: tuple[str, ...]) -> str | None:
        return value if value in options else options[0] if options else None

    pattern = "solid" if kind.solid_only else was.pattern
    made = Garment(kind.id, was.color, pattern, near(was.material, kind.materials), near(was.sleeve, kind.sleeves),
                   near(was.hem, kind.hems), near(was.neckline, kind.necklines))  # fmt: skip
    return replace(scene, garments=(made,))


def _truth(scene: Scene) -> dict[str, str]:
    garment = scene.garments[0]
    return {
        "garment": garment.kind, "color": garment.color, "pattern": garment.pattern,
        "background": scene.background, "style": scene.style,
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200, help="drawings (default: 200)")
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"))
    options = parser.parse_args(argv)
    asked = list(scenes(STREAM, options.pictures, "held_out", 1))
    print("| who names it | " + " | ".join(FIELDS) + " |")
    print("|---|" + "---:|" * len(FIELDS))
    describer = Describer.load(options.checkpoint / "scorers")
    for language in ("ko", "en"):
        found = described(describer, asked, language)
        print(f"| describer, {language} | " + " | ".join(f"{found[field]:.1f} %" for field in FIELDS) + " |")
    percents = clip_kinds(options.checkpoint / "clip", asked)
    for name, percent in zip(("bare names", "whole captions"), percents, strict=True):
        print(f"| CLIP, {name} | {percent:.1f} % |" + " |" * (len(FIELDS) - 1))


if __name__ == "__main__":
    main()
