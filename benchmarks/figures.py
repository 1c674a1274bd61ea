"""Keep the figures of the documents in step with the weights that ship.

    python -m benchmarks.figures run checkpoint korean     # run benchmarks, keep what they print (`make figures`: all)
    python -m benchmarks.figures write                     # put what was printed into the documents
    python -m benchmarks.figures check                     # say where a document and the weights disagree

In: `benchmarks/figures/NAME.md`, the output of one benchmark under its command and the ids of the weights it ran on.
Out: documents whose marked tables and numbers are that output, to the letter:

    <!-- figures: checkpoint#scenes -->                              the table whose first column is "scenes"
    <!-- /figures -->
    <!-- figure: checkpoint#scenes[one garment, all].drawn -->91.8<!-- / --> %        one cell of it

An id is the first 12 digits of a SHA-256 over a part's entries in checkpoints/manifest.json, or over the styles' files.
That of `korean` is over what pictures depend on: all tensors but the words of its search head (`ko_clip.lexical`),
which no U-Net reads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import normalize

from fashion.look_words import LOOK_WORDS

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "benchmarks" / "figures"
DRAWING = ("base", "refiner", "vae", "clip")
REPORTING = "scorers/reporting"
BLOCK = re.compile(r"(<!-- figures: (?P<name>[\w-]+)(?:#(?P<table>[^>]+?))? -->\n).*?(<!-- /figures -->)", re.DOTALL)
CELL = re.compile(
    r"(<!-- figure: (?P<name>[\w-]+)#(?P<table>[^\[>]+)\[(?P<row>[^\]]+)\]\.(?P<column>[^>]+?) -->)[^<]*(<!-- / -->)"
)


@dataclass(frozen=True)
class Benchmark:
    """A command whose output documents quote, and the parts of the checkpoint that decide what it prints."""

    command: tuple[str, ...]
    parts: tuple[str, ...] = ()


BENCHMARKS: dict[str, Benchmark] = {
    "checkpoint": Benchmark(("benchmarks.checkpoint", "--scenes", "500", "--seeds", "2"), (*DRAWING, REPORTING)),
    "korean": Benchmark(
        ("benchmarks.korean", "--scenes", "250", "--seeds", "1", "--noise-scenes", "100"),
        (*DRAWING, REPORTING, "korean"),
    ),
    "wording": Benchmark(("benchmarks.wording", "--seeds", "1"), (*DRAWING, "scorers", "korean")),
    "scorers": Benchmark(
        ("benchmarks.scorers", "--pictures", "4096", "--first", "3072", "--undisturbed"), ("scorers",)
    ),
    "reading": Benchmark(("benchmarks.reading",), ("clip", "korean")),
    "editing": Benchmark(
        ("benchmarks.editing", "--scenes", "48", "--others", "12", "--grid", "docs/images/edits.webp"),
        (*DRAWING, REPORTING, "scorers/setting", "korean"),
    ),
    "textile": Benchmark(
        (
            "benchmarks.textile",
            "--each",
            "30",
            "--drawn",
            "100",
            "--threads",
            "1",
            "--fabric",
            "../shared/data/fabric",
            "--photos",
            "../shared/data/garment_photos",
        ),
        ("textile",),
    ),
    "styles": Benchmark(
        ("benchmarks.styles_shown", "--prompts", "64", "--grid", "docs/images/styles.webp"),
        (*DRAWING, REPORTING, "korean", "styles"),
    ),
    "baselines": Benchmark(
        ("benchmarks.baselines", "--scenes", "100", "--grid", "docs/images/baselines.webp", "--threads", "1"),
        (*DRAWING, REPORTING, "korean"),
    ),
    "describing": Benchmark(("benchmarks.describing", "--pictures", "200"), ("scorers", "clip")),
    "search": Benchmark(("benchmarks.search",), ("korean/model",)),
    "shop": Benchmark(("benchmarks.shop_descriptions",), (*DRAWING, REPORTING, "korean")),
    "latents": Benchmark(("benchmarks.latents",), ("vae",)),
    "pipeline": Benchmark(("benchmarks.pipeline", "--checkpoint", "checkpoints")),
    "index": Benchmark(("benchmarks.index",)),
    "service": Benchmark(("benchmarks.service",)),
    "ko_clip": Benchmark(("benchmarks.ko_clip",)),
    "page": Benchmark(("benchmarks.page",)),
    "textile-reference": Benchmark(  # last: it wants two trainings of docs/how-to/train-fabric.md
        (
            "benchmarks.textile",
            "--patterns",
            "--each",
            "30",
            "--threads",
            "1",
            "--early",
            "runs/textile-early",
            "--dcgan",
            "runs/textile-dcgan",
        ),
        ("textile",),
    ),
}


@dataclass(frozen=True)
class Printed:
    """What a benchmark printed, and the ids of the weights that it ran on, by part."""

    name: str
    command: str
    weights: dict[str, str]
    text: str

    def table(self, first_column: str) -> list[str]:
        """The lines of the table whose first header cell is `first_column`. Raises ValueError where there is none."""
        for lines in _tables(self.text):
            if _cells(lines[0])[0] == first_column:
                return lines
        raise ValueError(f"{self.name} printed no table whose first column is {first_column!r}: see {KEPT.name}/")

    def cell(self, table: str, row: str, column: str) -> str:
        """One cell: `row` is the first cells of its row, comma separated. Raises ValueError where there is none."""
        lines = self.table(table)
        header, wanted = _cells(lines[0]), [part.strip() for part in row.split(",")]
        if column not in header:
            raise ValueError(f"{self.name}#{table} has no column {column!r}: {', '.join(header)}")
        for line in lines[2:]:
            cells = _cells(line)
            if cells[: len(wanted)] == wanted or cells[0] == row:
                return cells[header.index(column)]
        raise ValueError(f"{self.name}#{table} has no row {row!r}")


def weight_ids(checkpoints: Path, parts: Iterable[str] | None = None) -> dict[str, str]:
    """The id of each part of a checkpoint folder: a folder's name, or the beginning of its files' names; by default
    every part that a benchmark depends on.
    """
    files = json.loads((checkpoints / "manifest.json").read_text(encoding="utf-8"))["files"] | _styles(checkpoints)
    wanted = parts or {part for benchmark in BENCHMARKS.values() for part in benchmark.parts}
    return {part: _drawing_id(checkpoints / part) if part == "korean" else _id(files, part) for part in wanted}


def _drawing_id(encoder: Path) -> str:
    """The id of what an encoder's folder says to U-Nets: its tokenizer, and all tensors but the searched words."""
    from safetensors.numpy import load_file

    mark = hashlib.sha256((encoder / "tokenizer.json").read_bytes())
    for name, tensor in sorted(load_file(encoder / "model.safetensors").items()):
        if not name.startswith("heads.search.word"):
            mark.update(name.encode())
            mark.update(tensor.tobytes())
    return mark.hexdigest()[:12]


def _styles(checkpoints: Path) -> dict[str, dict[str, str]]:
    """The styles that ship as a manifest would list them; those that somebody added beside them count for no figure."""
    paths = {normalize("NFC", path.name): path for path in (checkpoints / "styles").glob("*.safetensors")}
    shipped = [f"{words.ko}.safetensors" for words in LOOK_WORDS.values()]
    return {f"styles/{name}": {"sha256": hashlib.sha256(paths[name].read_bytes()).hexdigest()}
            for name in shipped if name in paths}  # fmt: skip


def _id(files: Mapping[str, Mapping[str, object]], part: str) -> str:
    names = [
        name for name in sorted(files) if name.startswith((f"{part}/", f"{part}.")) and "training.json" not in name
    ]
    return hashlib.sha256("\n".join(f"{name}:{files[name]['sha256']}" for name in names).encode()).hexdigest()[:12]


def read(name: str, folder: Path = KEPT) -> Printed:
    """What was kept of one benchmark. Raises FileNotFoundError with the command that makes it."""
    path = folder / f"{name}.md"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not there: python -m benchmarks.figures run {name}")
    head, _, text = path.read_text(encoding="utf-8").partition("\n\n")
    facts = dict(re.findall(r"<!-- (\w+): (.*?) -->", head))
    weights = dict(pair.split("=", 1) for pair in facts.get("weights", "").split())
    return Printed(name, facts["command"], weights, text.strip())


def run(name: str, folder: Path = KEPT) -> None:
    """Run one benchmark and keep what it prints. Raises CalledProcessError where it fails."""
    benchmark, ids = BENCHMARKS[name], weight_ids(ROOT / "checkpoints")
    printed = subprocess.run(
        [sys.executable, "-m", *benchmark.command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    keep(name, printed, {part: ids[part] for part in benchmark.parts}, folder)


def keep(name: str, printed: str, weights: dict[str, str], folder: Path = KEPT) -> None:
    """Write a benchmark's output under its command, the weights' ids and the day."""
    folder.mkdir(exist_ok=True)
    stamp = " ".join(f"{part}={id}" for part, id in sorted(weights.items()))
    head = [f"<!-- command: python -m {' '.join(BENCHMARKS[name].command)} -->", f"<!-- weights: {stamp} -->"]
    head.append(f"<!-- day: {datetime.now(UTC).date()} -->")
    (folder / f"{name}.md").write_text("\n".join(head) + f"\n\n{printed.strip()}\n", encoding="utf-8")


def filled(text: str, folder: Path = KEPT) -> str:
    """A document with every marked table and number as it was printed. Raises ValueError, FileNotFoundError."""

    def block(match: re.Match[str]) -> str:
        printed = read(match["name"], folder)
        body = "\n".join(printed.table(match["table"])) if match["table"] else printed.text
        return f"{match[1]}{body}\n{match[4]}"

    def cell(match: re.Match[str]) -> str:
        return f"{match[1]}{read(match['name'], folder).cell(match['table'], match['row'], match['column'])}{match[6]}"

    return CELL.sub(cell, BLOCK.sub(block, text))


def quoted(text: str) -> set[str]:
    """The benchmarks that a document quotes."""
    return {match["name"] for pattern in (BLOCK, CELL) for match in pattern.finditer(text)}


def documents() -> Iterator[Path]:
    """Every document that speaks of what ships today; docs/experiments/ tells of former weights."""
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("checkpoints/**/*.md")]):
        if "experiments" not in path.parts and path.name != "CHANGELOG.md":
            yield path


def problems(paths: Iterable[Path], ids: Mapping[str, str], folder: Path = KEPT) -> list[str]:
    """Where documents differ from what was printed, or what was printed is of weights other than `ids`."""
    found = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if filled(text, folder) != text:
            found.append(f"{path} differs from what the benchmarks printed: python -m benchmarks.figures write")
        for name in sorted(quoted(text)):
            for part, id in read(name, folder).weights.items():
                if ids.get(part) != id:
                    found.append(f"{path} quotes {name} of other weights ({part} {id}, today {ids.get(part)}): run it")
    return found


def _tables(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            yield lines
            lines = []


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "write", "check"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}")
    if arguments.what == "run":
        for name in arguments.names or BENCHMARKS:
            print(f"{name}: python -m {' '.join(BENCHMARKS[name].command)}", file=sys.stderr)
            run(name)
    if arguments.what != "check":
        for path in documents():
            text = path.read_text(encoding="utf-8")
            if (new := filled(text)) != text:
                path.write_text(new, encoding="utf-8")
                print(path.relative_to(ROOT))
        return 0
    found = problems(documents(), weight_ids(ROOT / "checkpoints"))
    print("\n".join(found) or "every figure is of the weights that ship")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
