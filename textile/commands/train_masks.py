"""python -m textile train-masks: learn which pixels are garment from drawn garments and from photos without masks."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("train-masks", help="train the segmentation network")
    parser.add_argument("photos", type=Path, help="photos with labels.tsv (file_name, garment)")
    parser.add_argument("--pool", type=Path, help="drawn pictures (python -m fashion.pool; default: RUNS_DIR/pool)")
    parser.add_argument("--pictures", type=int, default=6000, help="of the pool (default %(default)s)")
    parser.add_argument("--most", type=int, default=1000, help="photos to cut (default %(default)s)")
    parser.add_argument("--left-out", type=Path, help="JSON with the names of photos that no training may see")
    parser.add_argument("--rounds", type=int, default=2, help="after each, photos are cut again (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="of each round (default %(default)s)")
    parser.add_argument("--runs", type=Path, help="where cuts and states lie (default: RUNS_DIR, else runs)")
    parser.add_argument("--out", type=Path, required=True, help="where segmenter.safetensors goes")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    import json

    import torch

    from fashion.pool import open_pool
    from textile.training.garment_photos import GarmentPhotos, cut_photos
    from textile.training.labelled import mark_of
    from textile.training.segmenter import GarmentBatches, cut_again, train_segmenter
    from training.folders import runs_folder
    from training.schedule import TrainerSettings

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    runs = arguments.runs or runs_folder()
    pool = open_pool(arguments.pool or runs / "pool", arguments.pictures)
    parts = json.loads(arguments.left_out.read_text("utf-8")).values() if arguments.left_out else ()
    left_out = frozenset(name for part in parts if isinstance(part, dict) for name in part)
    mark = mark_of((arguments.most, *sorted(left_out)), (arguments.photos,))
    first = runs / f"textile-photos-{mark}-1.npz"
    if not first.exists():
        runs.mkdir(parents=True, exist_ok=True)
        cut_photos(arguments.photos, arguments.most, left_out).save(first)
    start = None
    for number in range(1, arguments.rounds + 1):
        path = runs / f"textile-photos-{mark}-{number}.npz"
        settings = TrainerSettings(
            steps=8000, minutes=arguments.minutes, finish=True, learning_rate=3e-3, warmup=50, ema=0.99,
            sample_every=100, cooldown=0.4,
        )  # fmt: skip
        batches = GarmentBatches(pool, GarmentPhotos.open(path), seed=number)
        segmenter = train_segmenter(
            batches, settings, runs / f"textile-segmenter-{mark}-{number}", arguments.out, start
        )
        start = segmenter.network.state_dict()
        again = runs / f"textile-photos-{mark}-{number + 1}.npz"
        if number < arguments.rounds and not again.exists():
            cut_again(segmenter, GarmentPhotos.open(path)).save(again)
    print(f"wrote {arguments.out}")
