"""Edit a picture from the shell: python -m diffusion.edit picture.png --replace red=blue --replace dress=coat -o out/

The picture's file says what it was drawn from, and with which settings and noise; of any other picture --source-prompt
says what it shows. Uses the checkpoint's own English text encoder. Nothing in the output folder is overwritten.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.__main__ import CHECKPOINT, HANGUL, refuse, save_picture
from diffusion.editing.request import FIELDS, METHODS, EditSettings, EditShot, edits_for, settings_for
from diffusion.recipe import png_bytes, read_recipe
from diffusion.request import DrawSettings

if TYPE_CHECKING:
    from diffusion.editing.pipeline import EditingPipeline


@dataclass(frozen=True)
class EditOrder:
    """A checked command line."""

    shots: list[EditShot]
    settings: DrawSettings
    how: EditSettings
    out: Path
    checkpoint: str
    device: str | None
    dtype: str | None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, edit, save; return the exit status (2: a bad request, 1: a bad checkpoint or folder)."""
    try:
        order = parse(argv)
    except (ValueError, OSError) as error:
        return refuse(error, 2)
    try:
        pipeline = _open(order)
        order.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        return refuse(error, 1)
    try:
        drawing = pipeline.edit(order.shots, order.settings, order.how)
    except ValueError as error:  # what this checkpoint cannot do
        return refuse(error, 2)
    except KeyboardInterrupt:
        return refuse("stopped, nothing was written", 130)
    for warning in drawing.warnings:
        print(f"python -m diffusion.edit: {warning}", file=sys.stderr)
    for shot, image, recipe in zip(order.shots, drawing.images, drawing.recipes, strict=True):
        print(save_picture(order.out, shot.target(), png_bytes(image, recipe)))
    return 0


def parse(argv: Sequence[str] | None = None) -> EditOrder:
    """Turn arguments into an order; raises ValueError for what is missing, out of range or written in Hangul."""
    from pictures import open_picture

    given = _parser().parse_args(argv)
    source = open_picture(given.picture)
    recipe = _recipe(given.picture) if given.source_prompt is None else None
    before = given.source_prompt or str((recipe or {}).get("drawn_prompt", (recipe or {}).get("prompt", "")))
    if not before:
        raise ValueError(f"{given.picture} does not say what it was drawn from: give --source-prompt")
    after = _target(before, given.prompt, given.replace)
    for text in (before, after):
        if HANGUL.search(text):
            raise ValueError(f"{text!r} is Korean, the checkpoint's own encoder reads English: use python -m demo edit")
    seed = None if recipe is None else recipe.get("seed")
    own = seed if isinstance(seed, int) else None
    first = EditShot(
        source,
        before,
        after,
        seed=(own or 0) if given.seed is None else given.seed,
        source_seed=own,
        mask=open_picture(given.mask) if given.mask else None,
        whole=given.whole or "style" in given.changes,
    )
    how = _how(given)
    settings = DrawSettings(**recipe["settings"]) if recipe is not None else DrawSettings()  # type: ignore[arg-type]
    shots = edits_for(first, given.number)
    return EditOrder(shots, settings, how, given.out, given.checkpoint, given.device, given.dtype)


def _target(before: str, prompt: str | None, replacements: Sequence[tuple[str, str]]) -> str:
    """The new text. Raises ValueError for a word that is not there, or where nothing says what to change."""
    if (prompt is None) == (not replacements):
        raise ValueError("say what to change: either --prompt or --replace OLD=NEW")
    after = before if prompt is None else prompt
    for old, new in replacements:
        changed = new.join(re.split(rf"(?<!\w){re.escape(old)}(?!\w)", after))
        if changed == after:
            raise ValueError(f"{old!r} is not a word of {before!r}: replace one that is")
        after = changed
    return after


def _recipe(path: Path) -> dict[str, object] | None:
    try:
        return read_recipe(path)
    except ValueError:
        return None


def _open(order: EditOrder) -> EditingPipeline:
    from diffusion.load import load_pipeline

    return load_pipeline(order.checkpoint, device=order.device, dtype=order.dtype)


def _how(given: argparse.Namespace) -> EditSettings:
    """By what is said to change; what is given besides stays, and another method is told nothing."""
    usual = EditSettings() if given.method else settings_for(frozenset(given.changes), given.keep)
    return replace(usual, keep=given.keep, method=given.method, strength=given.strength)


def _pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not sign or not old.strip() or not new.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: give OLD=NEW")
    return old.strip(), new.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m diffusion.edit", description=__doc__.splitlines()[0])
    add: Callable[..., argparse.Action] = parser.add_argument
    add("picture", type=Path)
    add("--replace", action="append", type=_pair, default=[], metavar="OLD=NEW", help="a word and what replaces it")
    add("--prompt", help="what it is to show, in place of --replace")
    add("--source-prompt", help="what it shows, where its file does not say")
    add("-n", "--number", type=int, default=1, help="how many pictures; the first has the source's own noise")
    add("-o", "--out", type=Path, default=Path("out"), help="folder for the pictures")
    add("--seed", type=int, help="of the noise in the changed part (default: the source's)")
    add("--mask", type=Path, help="a picture of the source's size: white where it may change")
    add("--changes", nargs="+", default=(), choices=FIELDS, help="what the words change: each is edited its own way")
    add("--whole", action="store_true", help="the change shows everywhere, as --changes style does")
    add("--keep", type=float, default=1.0, help="how much of the rest stays, 0 to 1")
    add("--method", choices=METHODS, help="default: redraw on flow checkpoints, cycle on others")
    add("--strength", type=float, help="how much noise an edit begins with")
    add("--checkpoint", default=str(CHECKPOINT), help="folder, hub id, or base+refiner")
    add("--device", help="cpu or cuda")
    add("--dtype", help="float32, bfloat16 or float16")
    return parser


if __name__ == "__main__":
    sys.exit(main())
