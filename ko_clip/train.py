"""Train a Korean-English text encoder: `python -m ko_clip.train --config ko_clip/config/small.yaml`.

The same command resumes a run that was killed, and runs on several processes under `accelerate launch`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):  # python ko_clip/train.py
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from ko_clip.recipe import Recipe, load_recipe, with_text
from training.command import run_command
from training.folders import runs_folder

STAGES = ("text", "unet", "all")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, say where the encoder is. Wrong input ends with one line that says the cure."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    quiet_libraries()
    return run_command(lambda: print(train(args)))


def quiet_libraries() -> None:
    """No bars and no tables of unused weights from transformers: a CLIP's image tower is unused on purpose."""
    from transformers.utils import logging as hub_logging

    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)


def train(args: argparse.Namespace) -> Path:
    """Run the stages asked for; returns the encoder's folder."""
    recipe = load_recipe(args.config, run=args.run, seed=args.seed)
    if args.run is None:
        recipe = replace(recipe, run=str(in_runs_folder(Path(recipe.run), args.runs)))
    recipe = with_text(recipe, steps=args.steps, batch=args.batch, threads=args.threads)
    from ko_clip.distill import distil
    from ko_clip.unet_stage import distil_through_unet
    from training.state import finished

    stage = args.stage or ("all" if recipe.unet.steps else "text")
    folder = Path(recipe.run) / "model"
    if stage in ("text", "all"):
        folder = distil(recipe, args.minutes, args.finish)
    if stage == "all" and not finished(Path(recipe.run)):
        logging.info("the text stage is not over: the same command goes on with it, then with the U-Net stage")
        return folder
    if stage in ("unet", "all"):
        folder = distil_through_unet(recipe, args.minutes, args.finish)
    _say_how_to_go_on(recipe, folder)
    return folder


def _say_how_to_go_on(recipe: Recipe, folder: Path) -> None:
    """What can be done with what a leg left, as commands."""
    from training.state import read_progress

    progress = read_progress(folder.parent)
    if progress is not None and progress.finished:
        done = progress.step
        logging.info("the stage is over after %d steps; to go on: the same command with --steps %d", done, 2 * done)
    elif progress is not None:
        logging.info("step %d of %d: the same command goes on", progress.step, progress.steps)
    pairs = Path(recipe.run) / "held_out.tsv"
    if pairs.is_file():
        logging.info("to measure it: python -m ko_clip.evaluate --encoder %s --pairs %s", folder, pairs)


def in_runs_folder(run: Path, runs: Path) -> Path:
    """A recipe's folder `runs/…` in the folder of all states; any other stays as it is."""
    return runs.joinpath(*run.parts[1:]) if run.parts[:1] == ("runs",) else run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.train", description=__doc__)
    parser.add_argument("--config", required=True, help="a YAML recipe; ko_clip/config/ has those that ship")
    parser.add_argument("--run", help="folder of the run, in place of the recipe's")
    parser.add_argument("--runs", type=Path, default=runs_folder(), help="where a run: runs/… lies (default: RUNS_DIR)")
    parser.add_argument("--stage", choices=STAGES, help="text, unet, or all; by itself all that the recipe has")
    parser.add_argument("--minutes", type=float, help="stop and save after so many minutes; the same command goes on")
    parser.add_argument("--finish", action="store_true", help="with --minutes: fit the rest of the stage into them")
    parser.add_argument("--steps", type=int, help="steps of the text stage, in place of the recipe's")
    parser.add_argument("--batch", type=int, help="pairs of a step and process, in place of the recipe's")
    parser.add_argument("--threads", type=int, help="CPU threads; 0 leaves it to torch")
    parser.add_argument("--seed", type=int, help="in place of the recipe's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
