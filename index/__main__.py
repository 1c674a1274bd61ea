"""The index from the shell: build, query, verify, stats, tune."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

import sqlalchemy as sa

from index.graphs import ENGINES
from index.options import DEFAULTS, IndexOptions
from index.prompt_index import PromptIndex
from index.tables import newest_encoder
from index.tune import choose, keep, measure

PARAMETERS = f"""\
the two parameters of an Annoy file:
  n_trees   how many random trees are built. More trees find more neighbours for the same search_k, and cost
            build time and disk (about 4 nodes per 96 vectors and tree). Default {DEFAULTS["n_trees"]}.
  search_k  how many vectors a query inspects (with hnswlib: keeps as candidates, its ef). More finds more, and
            costs time in proportion. It is not set by hand: every build measures recall@10 against exact search
            on 500 stored vectors, and takes the smallest search_k that is sure of the target, {DEFAULTS["recall"]} by
            default: recall less three standard errors reaches it, with half as many misses again for queries
            that are not stored. Where exact search is cheaper, that is used.
`tune` prints recall and milliseconds over both, and writes n_trees and the recall target into the index folder.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 when something is wrong with the index."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = sa.create_engine(arguments.database)
    try:
        options = IndexOptions(engine=arguments.engine, background=False)
        index = PromptIndex(arguments.index, engine, *newest_encoder(engine), options)
        return int(arguments.run(index, arguments))
    except (ValueError, OSError, RuntimeError, sa.exc.SQLAlchemyError) as error:
        print(f"index: {error}", file=sys.stderr)
        return 1
    finally:
        engine.dispose()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        "python -m index", description=__doc__, epilog=PARAMETERS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--index", required=True, metavar="FOLDER", help="the index folder")
    shared.add_argument("--database", required=True, metavar="URL", help="as in sqlite:///data/studio.db")
    shared.add_argument("--engine", choices=ENGINES, default="annoy", help="what `build` builds with (INDEX_ENGINE)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(
            name,
            parents=[shared],
            help=text,
            description=text,
            epilog=PARAMETERS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(run=run)
        return one

    command("build", build, "build the file anew from the database, verify it and swap it in")
    query = command("query", run_query, "print what is nearest to a stored prompt")
    query.add_argument("id", help="id of a record: its vector is the query")
    query.add_argument("-k", type=int, default=10, help="how many groups (default 10)")
    query.add_argument("--viewer", help="whose private prompts are seen beside the public ones")
    command("verify", verify, "read every file anew and count against the database; exit status 1 if wrong")
    command("stats", stats, "print counts, sizes and parameters")
    tuning = command("tune", tune, "measure recall and time over n_trees and search_k, and keep the best setting")
    tuning.add_argument(
        "--trees",
        type=int,
        nargs="+",
        default=[12, 24, 48, 96],
        metavar="N",
        help="numbers of trees to try (default: 12 24 48 96)",
    )
    tuning.add_argument("--recall", type=float, default=DEFAULTS["recall"], help="the target (default %(default)s)")
    return top


def build(index: PromptIndex, arguments: argparse.Namespace) -> int:
    index.rebuild()
    return stats(index, arguments)


def run_query(index: PromptIndex, arguments: argparse.Namespace) -> int:
    for hit in index.search(index.store.vector(arguments.id), arguments.k, arguments.viewer):
        print(f"{hit.score:9.6f}  {hit.id}  {hit.group}")
    return 0


def verify(index: PromptIndex, arguments: argparse.Namespace) -> int:
    problems = index.verify()
    print("\n".join(problems) or "sound")
    return 1 if problems else 0


def stats(index: PromptIndex, arguments: argparse.Namespace) -> int:
    for name, value in index.stats().items():
        print(f"{name:16} {value}")
    return 0


def tune(index: PromptIndex, arguments: argparse.Namespace) -> int:
    target = IndexOptions(recall=arguments.recall).target
    print("| n_trees | search_k | recall@10 | surely | ms | build s | file MB |\n|---|---|---|---|---|---|---|")
    trials = []
    for trial in measure(index, arguments.trees, target):
        trials.append(trial)
        search_k = trial.search_k or "exact"
        print(
            f"| {trial.n_trees} | {search_k} | {trial.recall:.3f} | {trial.sure:.3f} "
            f"| {trial.milliseconds:.2f} | {trial.build_seconds:.1f} | {trial.megabytes:.0f} |",
            flush=True,
        )
    best = choose(trials, target)
    keep(index, best, target)
    print(f"kept: n_trees {best.n_trees}, recall {target}; the next build uses it (python -m index build)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
