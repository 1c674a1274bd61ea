"""python -m textile train: learn patterns from drawn cloth, from close-ups, or from one's own folders by category."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("train", help="train the pattern generator, or go on with the one that ships")
    parser.add_argument("folder", type=Path, nargs="?", help="FOLDER/<category>/*.png: one's own cloth (default: none)")
    parser.add_argument("--fabric", type=Path, help="close-ups with labels.tsv (file_name, pattern) as well")
    parser.add_argument(
        "--drawn", type=int, default=300, help="drawn repeats a category (default %(default)s, 0: none)"
    )
    parser.add_argument("--minutes", type=float, default=60, help="how long (default %(default)s)")
    parser.add_argument("--steps", type=int, help="so many, if the minutes suffice (default: what the minutes allow)")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--start", type=Path, help="begin with the decoder of this folder, e.g. checkpoints/textile")
    parser.add_argument("--runs", type=Path, help="where cloth and state lie (default: RUNS_DIR, else runs)")
    parser.add_argument("--out", type=Path, required=True, help="where generator.safetensors goes")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    import torch

    from textile.training.cloth_set import ClothSource, make_cloth, open_cloth
    from textile.training.generator import PatternTraining, train_generator
    from training.folders import runs_folder
    from training.schedule import TrainerSettings

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    runs = arguments.runs or runs_folder()
    source = ClothSource(arguments.drawn, arguments.fabric, arguments.folder)
    mark = source.mark()  # what another set of pictures left is not taken for this one
    folder = runs / f"textile-cloth-{mark}"
    if not (folder / "rows.npz").exists():
        make_cloth(folder, source)
    settings = TrainerSettings(
        steps=arguments.steps or 6000, minutes=arguments.minutes, finish=not arguments.steps,
        learning_rate=arguments.learning_rate, warmup=50, ema=0.99, sample_every=200, cooldown=0.4,
    )  # fmt: skip
    training = PatternTraining(
        runs / f"textile-generator-{mark}", arguments.out, settings, arguments.batch,
        critic_steps=min(500, arguments.steps or 500), start=arguments.start,
    )  # fmt: skip
    train_generator(training, open_cloth(folder))
    print(f"wrote {arguments.out}: python -m textile pattern checkered --weights {arguments.out}")
