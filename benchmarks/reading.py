"""Does a text encoder say who wears what? `python -m benchmarks.reading [--scenes 256]`

In: captions of held-out scenes in both languages, the English tower, the Korean encoder, the frozen reader that taught
the tower to bind (`ko_clip.scene_reading`). Out: percent of the named colours and patterns that it misreads from the
hidden states, by number of garments, English through its own tower beside Korean and English through the student, and
as floor the English states of other captions; then how often a caption finds its own picture first among as many. No
picture is drawn by a U-Net, so a minute tells whether an encoder is worth drawing with.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPModel

from fashion.captions import Caption, caption
from fashion.drawing import draw
from fashion.scene import Scene, scenes
from ko_clip.contrastive import english_tokenizer, image_vectors, retrieval, text_vectors, to_tensor, tokenize
from ko_clip.encoder import PromptEncoder
from ko_clip.english import MAX_TOKENS
from ko_clip.scene_reading import READER_FILE, UNSAID, reading_targets, saved_reader

STREAM = 92  # no training and no other check reads it
SHOWN = ("color", "pattern")
BATCH = 32


def misread(reader: torch.nn.Module, states: torch.Tensor, captions: Sequence[Caption]) -> dict[str, float]:
    """Percent of what the captions name that `reader` hears otherwise in `states` (n, 77, d)."""
    wanted, heard = reading_targets(captions), reader(states)
    wrong = {}
    for field in SHOWN:
        goal, answer = wanted[field].flatten(), heard[field].flatten(0, -2).argmax(-1)
        named = goal != UNSAID
        wrong[field] = 100 * (answer != goal)[named].float().mean().item()
    return wrong


def reading_table(folder: Path, korean: Path, count: int) -> list[str]:
    reader = saved_reader(folder / "clip" / READER_FILE)
    tower = CLIPModel.from_pretrained(folder / "clip", dtype=torch.float32).eval().text_model
    tokenizer, student = english_tokenizer(folder / "clip"), PromptEncoder.load(korean)

    def by_tower(texts: Sequence[str]) -> torch.Tensor:
        parts = [tokenize(tokenizer, texts[i : i + BATCH], pad_to=MAX_TOKENS) for i in range(0, len(texts), BATCH)]
        return torch.cat([tower(ids).last_hidden_state for ids in parts])

    def by_student(texts: Sequence[str]) -> torch.Tensor:
        return torch.cat([student.base(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]).float()

    lines = ["| garments | misread | English, its tower | Korean, student | English, student | other captions |",
             "|---:|---|---:|---:|---:|---:|"]  # fmt: skip
    for garments in (1, 2, 3):
        shown = list(scenes(STREAM, count, "held_out", garments))
        english, hangul = ([caption(s, language, seed=i) for i, s in enumerate(shown)] for language in ("en", "ko"))
        states = by_tower([c.text for c in english])
        rows = [
            misread(reader, states, english),
            misread(reader, by_student([c.text for c in hangul]), hangul),
            misread(reader, by_student([c.text for c in english]), english),
            misread(reader, states.roll(1, 0), english),
        ]
        lines += [f"| {garments} | {f} | " + " | ".join(f"{r[f]:.1f} %" for r in rows) + " |" for f in SHOWN]
    return lines


def retrieval_table(folder: Path, asked: Sequence[Scene]) -> list[str]:
    """A caption's own picture among all, by the English CLIP's two towers."""
    clip = CLIPModel.from_pretrained(folder / "clip", dtype=torch.float32).eval()
    tokenizer = english_tokenizer(folder / "clip")
    texts = [caption(scene, "en", seed=i).text for i, scene in enumerate(asked)]
    image, text = [], []
    for i in range(0, len(asked), BATCH):
        pictures = np.stack([draw(scene, 128) for scene in asked[i : i + BATCH]])
        image.append(image_vectors(clip, to_tensor(pictures)))
        text.append(text_vectors(clip, tokenize(tokenizer, texts[i : i + BATCH])))
    found = retrieval(torch.cat(image), torch.cat(text), texts)
    lines = [f"| English CLIP, {len(asked)} pictures and captions | reached | by chance |", "|---|---:|---:|"]
    chance = {"r1": 100 / len(asked), "r5": 500 / len(asked)}
    for way in ("image_to_text", "text_to_image"):
        lines += [f"| {way.replace('_', ' ')} R@{k[1:]} | {found[f'{way}_{k}']:.1f} % | {chance[k]:.1f} % |"
                  for k in chance if f"{way}_{k}" in found]  # fmt: skip
    return lines


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--scenes", type=int, default=256, help="of each number of garments (default %(default)s)")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--encoder", type=Path, help="a Korean encoder (default: the one that ships)")
    options = parser.parse_args(argv)
    korean = options.encoder or options.checkpoints / "korean"
    with torch.inference_mode():
        print("\n".join(reading_table(options.checkpoints, korean, options.scenes)))
        print()
        print("\n".join(retrieval_table(options.checkpoints, list(scenes(STREAM, 2 * options.scenes, "held_out")))))


if __name__ == "__main__":
    main()
