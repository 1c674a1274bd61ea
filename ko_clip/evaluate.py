"""How good an encoder is: `python -m ko_clip.evaluate --encoder DIR --pairs FILE --scored FILE --drawn 1000`.

In: an encoder, tables of pairs and of scored pairs, drawn captions. Out: Markdown tables, `evaluation.json`, and charts
as PNG: retrieval both ways, Spearman on scored Korean pairs beside character TF-IDF, agreement with the teachers, and
what each kind of noise costs. Public data: KorSTS (kakaobrain/kor-nlu-datasets) joined with STS-B; Tatoeba.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if __package__ in (None, ""):  # python ko_clip/evaluate.py
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from ko_clip.measures import CharacterTfidf, relative_error, retrieval, spearman
from ko_clip.recipe import HeadRecipe
from ko_clip.tables import Report, read_pairs
from ko_clip.train import quiet_libraries
from training.command import run_command

if TYPE_CHECKING:  # opened late, so that --help and a refusal come at once
    from ko_clip.encoder import PromptEncoder
    from ko_clip.teachers import ClipTeacher

Table = list[dict[str, str | float]]
_CHUNK = 64
_HANGUL_FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate, print the tables, write them and the charts."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    quiet_libraries()
    return run_command(lambda: _evaluate_and_write(args))


def _evaluate_and_write(args: argparse.Namespace) -> None:
    if args.out:
        Path(args.out).mkdir(parents=True, exist_ok=True)  # told before anything is measured
    tables = evaluate(args)
    for title, rows in tables.items():
        print(f"\n### {title}\n\n{markdown(rows)}")
    if args.out:
        write(tables, Path(args.out))


def evaluate(args: argparse.Namespace) -> dict[str, Table]:
    """Every table that the arguments give data for."""
    from ko_clip.encoder import PromptEncoder

    if not (args.pairs or args.scored or args.drawn):
        raise ValueError("nothing to evaluate on: give --pairs, --scored or --drawn")
    encoder = PromptEncoder.load(args.encoder)
    tables: dict[str, Table] = {}
    found = [row for path in args.pairs for row in pair_retrieval(encoder, Path(path), args.most)]
    if found:
        tables[f"Retrieval, {encoder.search_head} head"] = found
    if args.scored:
        tables["Similarity (Spearman)"] = [similarity(encoder, Path(args.scored), args.scored_train)]
    if args.drawn:
        teacher = _teacher(encoder, args.teacher)
        drawn = DrawnPairs(args.drawn, args.seed)
        tables["Drawn captions, Korean to English"] = drawn_retrieval(encoder, teacher, drawn)
        tables["Agreement with the teacher"] = agreement(encoder, teacher, drawn)
        tables["Robustness"] = robustness(encoder, teacher, drawn)
    return tables


def pair_retrieval(encoder: PromptEncoder, path: Path, most: int) -> Table:
    """Both directions over a table of pairs, student against student."""
    report = Report()
    pairs = list(islice(read_pairs(path, report), most))
    if not pairs:
        raise ValueError(f"{path} gave no pair: {report.summary()}")
    korean, english = [p[0] for p in pairs], [p[1] for p in pairs]
    from_korean, from_english = (in_chunks(encoder.search, texts) for texts in (korean, english))
    ways = (
        ("ko→en", from_korean, from_english, english),
        ("en→ko", from_english, from_korean, korean),
    )
    return [
        {"corpus": path.name, "direction": name, "pairs": len(pairs), **retrieval(queries, keys, texts)}
        for name, queries, keys, texts in ways
    ]


def similarity(encoder: PromptEncoder, scored: Path, training: str | None) -> dict[str, str | float]:
    """Spearman of the head that says sentences and of character TF-IDF with the scores of Korean sentence pairs."""
    rows = read_scored(scored)
    known = [side for row in read_scored(Path(training)) for side in row[1:]] if training else []
    first, second, scores = [r[1] for r in rows], [r[2] for r in rows], [r[0] for r in rows]
    a, b = in_chunks(encoder.search, first), in_chunks(encoder.search, second)
    lexical = CharacterTfidf(known)
    rival = [lexical.similarity(x, y) for x, y in zip(first, second, strict=True)]
    label = "character TF-IDF" if training else "character counts"
    return {"scored pairs": len(rows), "ours": spearman((a * b).sum(-1), scores), label: spearman(rival, scores)}


def read_scored(path: Path) -> list[tuple[float, str, str]]:
    """(score, Korean, Korean) rows of a TSV with columns score, ko1, ko2 (or sentence1, sentence2)."""
    if not path.is_file():
        raise FileNotFoundError(f"scored pairs {path} are missing: give a TSV with score, ko1 and ko2")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a TSV in UTF-8 ({error})") from error
    columns = list(rows[0]) if rows else []
    names = next((n for n in (("ko1", "ko2"), ("sentence1", "sentence2")) if set(n) <= set(columns)), None)
    if names is None or "score" not in columns:
        raise ValueError(f"{path.name} needs the columns score, ko1 and ko2: it has {', '.join(columns) or 'none'}")
    found = []
    for number, row in enumerate(rows, 2):
        if row[names[0]] is None or row[names[1]] is None:
            raise ValueError(f"{path}, line {number} is cut: give score, {names[0]} and {names[1]}")
        try:
            found.append((float(row["score"]), row[names[0]], row[names[1]]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: score is {row['score']!r}, give a number") from error
    return found


class DrawnPairs:
    """Captions of held-out drawn scenes: Korean in some wording, the English that says the same."""

    def __init__(self, count: int, seed: int) -> None:
        from fashion.captions import caption
        from fashion.scene import scenes
        from ko_clip.drawn import canonical, content_of, korean

        self.scenes = list(scenes(seed, count, "held_out"))
        spoken = [caption(scene, "en", seed=seed + i) for i, scene in enumerate(self.scenes)]
        contents = [content_of(each, scene) for each, scene in zip(spoken, self.scenes, strict=True)]
        self.contents, self.spoken = contents, [each.text for each in spoken]
        self.english = [canonical(each) for each in contents]
        self.korean = [korean(each, random.Random(i), 0.0) for i, each in enumerate(contents)]

    def with_noise(self, kind: str) -> list[str]:
        """The same Korean captions as someone types them."""
        from fashion.captions import say

        return [say(content, "ko", random.Random(i), (kind,))[0] for i, content in enumerate(self.contents)]


def drawn_retrieval(encoder: PromptEncoder, teacher: ClipTeacher, drawn: DrawnPairs) -> Table:
    """Korean captions against the teacher's English ones (refiner pooled) and our own (search)."""
    rows: Table = []
    if "refiner" in teacher.heads:
        keys = in_chunks(lambda texts: _given(teacher.encode(texts)["refiner"].pooled), drawn.english)
        queries = in_chunks(lambda texts: encoder.refiner(texts)[1].cpu().numpy(), drawn.korean)
        rows.append({"head": "refiner, pooled", "captions": len(keys), **retrieval(queries, keys, drawn.english)})
    if encoder.search_head == "search":
        queries, keys = in_chunks(encoder.search, drawn.korean), in_chunks(encoder.search, drawn.english)
        rows.append({"head": "search", "captions": len(keys), **retrieval(queries, keys, drawn.english)})
    return rows


def agreement(encoder: PromptEncoder, teacher: ClipTeacher, drawn: DrawnPairs) -> Table:
    """Error of the states over their variance: 0 is the teacher itself, 1 knows nothing of the prompt."""
    rows: Table = []
    for name in teacher.heads:
        row: dict[str, str | float] = {"head": name}
        for label, prompts, texts in (
            ("Korean", drawn.korean, drawn.english),
            ("English, canonical", drawn.english, drawn.english),
            ("English, any wording", drawn.spoken, drawn.spoken),
        ):
            row[label] = states_error(encoder, teacher, name, prompts, texts)
        rows.append(row)
    return rows


def robustness(encoder: PromptEncoder, teacher: ClipTeacher, drawn: DrawnPairs) -> Table:
    """What each kind of noise does to the error of the base states and to retrieval."""
    from fashion.caption_noise import NOISES

    head = "base" if "base" in teacher.heads else next(iter(teacher.heads))
    rows: Table = []
    keys = in_chunks(encoder.search, drawn.english) if encoder.search_head == "search" else None
    for kind in ("none", *NOISES):
        prompts = drawn.korean if kind == "none" else drawn.with_noise(kind)
        error = states_error(encoder, teacher, head, prompts, drawn.english)
        row: dict[str, str | float] = {"noise": kind, f"{head} error": error}
        if keys is not None:
            row["search R@1"] = retrieval(in_chunks(encoder.search, prompts), keys, drawn.english)["R@1"]
        rows.append(row)
    return rows


def states_error(
    encoder: PromptEncoder, teacher: ClipTeacher, head: str, prompts: Sequence[str], texts: Sequence[str]
) -> float:
    """`relative_error` of one head's states for prompts whose English is `texts`."""
    say = encoder.base if head == "base" else lambda some: encoder.refiner(some)[0]
    ours = in_chunks(lambda some: say(some).cpu().numpy().astype(np.float32), prompts[:512])
    theirs = in_chunks(lambda some: _given(teacher.encode(some)[head].states), texts[:512])
    return relative_error(ours, theirs)


def _given(values: np.ndarray | None) -> np.ndarray:
    assert values is not None  # only heads that give it are asked
    return values


def in_chunks(call: Callable[[list[str]], np.ndarray], texts: Sequence[str]) -> np.ndarray:
    """Call on slices of the texts and join the rows."""
    return np.concatenate([call(list(texts[i : i + _CHUNK])) for i in range(0, len(texts), _CHUNK)])


def markdown(rows: Table) -> str:
    """A Markdown table; shares and correlations with three decimals."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_shown(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def write(tables: Mapping[str, Table], folder: Path) -> None:
    """evaluation.md, evaluation.json and one chart per table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"### {title}\n\n{markdown(rows)}\n" for title, rows in tables.items())
    (folder / "evaluation.md").write_text(text, "utf-8")
    (folder / "evaluation.json").write_text(json.dumps(tables, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for title, rows in tables.items():
        name = "".join(c if c.isalnum() else "-" for c in title.lower().split(",")[0].split("(")[0].strip())
        chart(title, rows, folder / f"{name}.png")


def chart(title: str, rows: Table, path: Path) -> None:
    """Grouped bars of shares, correlations and errors, a group per row; ranks and counts stay in the table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [n for n in rows[0] if n != "median rank" and all(isinstance(row[n], float) for row in rows)]
    words = [" ".join(value for value in row.values() if isinstance(value, str)) for row in rows]
    labels = [label.replace("→", " to ") or "ours" for label in words]
    font = _hangul_font()
    if font is None:  # a corpus may have a Korean name
        labels = ["".join(c for c in label if c.isascii()).strip() or str(i) for i, label in enumerate(labels, 1)]
    figure = Figure(figsize=(max(6.0, 1.2 * len(rows) + 3), 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes, width = figure.subplots(), 0.8 / max(1, len(names))
    for i, name in enumerate(names):
        bars = axes.bar(
            [x + i * width for x in range(len(rows))], [float(row[name]) for row in rows], width, label=name
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    axes.set_xticks(
        [x + 0.4 - width / 2 for x in range(len(rows))], labels, rotation=20, ha="right", fontsize=8, family=font
    )
    axes.set_title(title)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=120)


def _hangul_font() -> str | None:
    """An installed font that has Hangul, by name."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in _HANGUL_FONTS if name in known), None)


def _shown(value: str | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _teacher(encoder: PromptEncoder, folder: str | None) -> ClipTeacher:
    """The CLIP that the encoder reproduces; another one is refused."""
    from ko_clip.teachers import ClipTeacher, fingerprint

    if not folder:
        raise ValueError("--drawn needs --teacher, the CLIP that the encoder was trained with")
    known = {"base": HeadRecipe(folder), "refiner": HeadRecipe(folder, output="penultimate", pooled=True)}
    heads = {name: head for name, head in known.items() if name in encoder.teachers}
    found = fingerprint(folder)
    if wrong := [name for name in heads if encoder.teachers[name] != found]:
        raise ValueError(
            f"head {wrong[0]!r} reproduces {encoder.teachers[wrong[0]]}, {folder} is {found}: "
            "name the teacher of its recipe, or train for this one"
        )
    return ClipTeacher(folder, heads)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.evaluate", description=__doc__)
    parser.add_argument("--encoder", required=True, help="folder of the encoder")
    parser.add_argument("--teacher", help="folder of the CLIP that it reproduces, for --drawn")
    parser.add_argument("--pairs", nargs="*", default=[], help="tables of Korean-English pairs")
    parser.add_argument("--most", type=int, default=2000, help="pairs of a table to use (2000)")
    parser.add_argument("--scored", help="TSV of scored Korean pairs: score, ko1, ko2")
    parser.add_argument("--scored-train", help="the training part, from which TF-IDF takes its idf")
    parser.add_argument("--drawn", type=int, default=0, help="captions of held-out drawn scenes to use")
    parser.add_argument("--seed", type=int, default=77, help="of the drawn scenes")
    parser.add_argument("--out", help="folder for evaluation.md, .json and charts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
