"""python -m fashion export | prepare | deepfashion | stats | word-pictures: data sets of the drawn domain, of a shop
and of DeepFashion, charts of each, and a sheet with a small picture of every word."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from fashion.catalogue import USUAL_NAMES


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 2 for wrong data (in one line), 130 for Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: nothing was written", file=sys.stderr)
        return 130
    return 0


def _export(arguments: argparse.Namespace) -> None:
    from fashion.dataset import ExportSettings, export

    folder = export(ExportSettings(
        arguments.folder, arguments.count, arguments.seed, arguments.size, arguments.split, arguments.workers,
    ))  # fmt: skip
    print(f'wrote {arguments.count} scenes: datasets.load_dataset("imagefolder", data_dir="{folder}")')


def _prepare(arguments: argparse.Namespace) -> None:
    from fashion.prepare import PrepareSettings, prepare

    columns = dict(_column(pair) for pair in arguments.column)
    settings = PrepareSettings(arguments.catalogue, arguments.images, arguments.folder, arguments.size, columns)
    print("\n".join(prepare(settings).lines()))


def _deepfashion(arguments: argparse.Namespace) -> None:
    from fashion.data.deepfashion import DeepFashionSettings, read_deepfashion

    settings = DeepFashionSettings(arguments.folder, arguments.out, arguments.limit, arguments.scale)
    print("\n".join(read_deepfashion(settings).lines()))


def _stats(arguments: argparse.Namespace) -> None:
    from fashion.stats import draw_charts

    print(f"charts: {draw_charts(arguments.folder, arguments.out, language=arguments.language)}")


def _word_pictures(arguments: argparse.Namespace) -> None:
    from fashion.word_pictures import write_word_pictures

    path = write_word_pictures(arguments.folder)
    print(f"{path}: {path.stat().st_size} bytes")


def _column(pair: str) -> tuple[str, str]:
    field, sign, name = pair.partition("=")
    if not sign:
        fields = ", ".join(USUAL_NAMES)
        raise ValueError(f"--column {pair}: write FIELD=NAME, e.g. title=product_name; fields: {fields}")
    return field, name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m fashion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    export = commands.add_parser("export", help="draw scenes into a Hugging Face imagefolder")
    export.add_argument("folder", type=Path, help="where to write: empty, or not there yet")
    export.add_argument("--count", type=int, required=True, help="number of scenes")
    export.add_argument("--seed", type=int, default=0, help="another seed, other scenes (default 0)")
    export.add_argument("--size", type=int, default=256, help="pixels, 64 to 1024 (default 256)")
    export.add_argument("--split", default="train", help="train (default), held_out or any")
    export.add_argument("--workers", type=int, default=1, help="processes that draw (default 1)")
    export.set_defaults(run=_export)

    prepare = commands.add_parser("prepare", help="turn a shop's catalogue and pictures into the same form")
    prepare.add_argument("catalogue", type=Path, help="product_data.json, JSON lines, CSV, TSV or XLSX")
    prepare.add_argument("images", type=Path, help="the folder of its pictures")
    prepare.add_argument("folder", type=Path, help="where to write: empty, or not there yet")
    prepare.add_argument("--size", type=int, default=512, help="longer side in pixels (default 512)")
    prepare.add_argument(
        "--column", action="append", default=[], metavar="FIELD=NAME",
        help=f"name a column yourself; fields: {', '.join(USUAL_NAMES)}",
    )  # fmt: skip
    prepare.set_defaults(run=_prepare)

    deepfashion = commands.add_parser("deepfashion", help="read the Fashion Synthesis subset of DeepFashion")
    deepfashion.add_argument("folder", type=Path, help="where language_original.mat, ind.mat and G2.h5 lie")
    deepfashion.add_argument("out", type=Path, help="where to write: empty, or not there yet")
    deepfashion.add_argument("--limit", type=int, default=None, help="read only the first so many pictures")
    deepfashion.add_argument(
        "--scale", default="auto", choices=("auto", "mean", "signed", "unit", "bytes"),
        help="what G2.h5 holds: differences from ih_mean, -1..1, 0..1 or 0..255 (default: as the file says)",
    )  # fmt: skip
    deepfashion.set_defaults(run=_deepfashion)

    stats = commands.add_parser("stats", help="draw the charts to look at before training")
    stats.add_argument("folder", type=Path, help="a folder that export, prepare or deepfashion wrote")
    stats.add_argument("--language", choices=("ko", "en"), default="ko", help="of the labels (default ko)")
    stats.add_argument("--out", type=Path, default=None, help="where the charts go (default FOLDER-stats)")
    stats.set_defaults(run=_stats)

    sheet = commands.add_parser("word-pictures", help="draw a small picture of every word on one sheet, for the page")
    sheet.add_argument("folder", type=Path, help="where the sheet and its places go, e.g. demo/web/static")
    sheet.set_defaults(run=_word_pictures)
    return parser


if __name__ == "__main__":
    sys.exit(main())
