"""Should words count beside meaning when past prompts are searched? `python -m benchmarks.search [--scenes 600]`

In: the Korean encoder, two captions each of scenes that no training saw, and the Korean-English sentence pairs of
../shared/data where they are there. Half of what is stored is Korean, half English, as in a studio that both use.
Out: how often the prompt sought is among the first 8 (a card each on the page), by the language of the query and of
what is stored, for vectors alone, letters alone and both: mixed (w of the score is letters) and lifted (letters may
only raise a score, by w of what they are ahead: what the service does); then Spearman's rank correlation with what
people said of sentence pairs (KorSTS dev). The service's own functions score (demo/studio/searching.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo.studio.prompts import search_key
from demo.studio.searching import LEXICAL_WEIGHT, Letters, together
from fashion.captions import caption
from fashion.scene import Scene, scenes
from ko_clip.encoder import PromptEncoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ko_en"
WEIGHTS = (0.1, 0.3, 0.5, 0.7)
FIRST = 8
STREAM = 95  # training reads stream 1, its own checks 9, the benchmarks of drawing 91 to 94
TYPING = ("no_spaces", "jamo", "ending")

Way = Callable[[np.ndarray, np.ndarray], np.ndarray]  # cosines of vectors, likenesses of letters -> scores
WAYS: dict[str, Way] = {
    "vectors": lambda vectors, letters: vectors,
    **{f"mixed {w}": lambda vectors, letters, w=w: (1 - w) * vectors + w * letters for w in WEIGHTS[:2]},
    **{f"lifted {w}": lambda vectors, letters, w=w: together(vectors, letters, w) for w in WEIGHTS},
    "letters": lambda vectors, letters: letters,
}
HEADS = " | ".join(f"**{name}**" if name == f"lifted {LEXICAL_WEIGHT}" else name for name in WAYS)


@dataclass(frozen=True)
class Store:
    """Prompts that are kept; `answer[query name][i]` is the place of the one that query i seeks."""

    kept: list[str]
    queries: dict[str, list[str]]
    answer: dict[str, list[int]]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.search", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--scenes", type=int, default=600, help="prompts stored, and asked for (default 600)")
    parser.add_argument("--pairs", type=int, default=600, help="sentence pairs stored (default 600)")
    parser.add_argument("--encoder", type=Path, default=Path("checkpoints/korean"))
    asked = parser.parse_args(argv)
    encoder = PromptEncoder.load(asked.encoder)
    print_table("drawn captions", encoder, drawn_store(asked.scenes))
    if not DATA.exists():
        print(f"\n{DATA} is not there: sentence pairs are left out.")
        return 0
    print_table("captions of photographs (KorSTS dev)", encoder, sentence_store(asked.pairs))
    print(f"\n| KorSTS dev, Spearman × 100 | {HEADS} |\n|---|" + "---:|" * len(WAYS))
    for name, values in spearman_rows(encoder).items():
        print(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |")
    return 0


def print_table(title: str, encoder: PromptEncoder, store: Store) -> None:
    print(f"\n| {title}: sought among the first {FIRST} of {len(store.kept):,}, % | {HEADS} |")
    print("|---|" + "---:|" * len(WAYS))
    means = []
    for name, queries in store.queries.items():
        found = found_among_first(encoder, store.kept, queries, store.answer[name])
        means.append(found)
        print(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in found) + " |")
    print("| **mean** | " + " | ".join(f"{100 * value:.1f}" for value in np.mean(means, axis=0)) + " |", flush=True)


def found_among_first(encoder: PromptEncoder, kept: list[str], queries: list[str], answer: list[int]) -> list[float]:
    """For every way the share of queries whose answer is among the first."""
    vectors = _embedded(encoder, queries) @ _embedded(encoder, kept).T  # (queries, kept)
    keys = [Letters(search_key(text)) for text in kept]
    letters = np.array([[query.likeness(key) for key in keys] for query in (Letters(search_key(q)) for q in queries)])
    return [float(np.mean(_rank(way(vectors, letters), np.asarray(answer)) < FIRST)) for way in WAYS.values()]


def drawn_store(count: int) -> Store:
    """One caption of every scene is kept, every other one in Korean; other captions of the scenes ask for it."""
    shown = [scene for n in (1, 2) for scene in scenes(STREAM + n, -(-count // 2), "train", n)][:count]
    languages = ["ko" if i % 2 else "en" for i in range(len(shown))]
    kept = [caption(scene, language, seed=1).text for scene, language in zip(shown, languages, strict=True)]
    ways: dict[str, tuple[str, str, Callable[[Scene, int], str]]] = {
        f"{_title(asks)} finds {_title(has)}": (asks, has, _full(asks)) for asks in ("ko", "en") for has in ("ko", "en")
    }
    ways["short Korean finds Korean"] = ("ko", "ko", lambda scene, i: caption(scene, "ko", 7, short=True).text)
    ways["Korean as typed finds Korean"] = (
        "ko", "ko", lambda scene, i: caption(scene, "ko", 7, noise=TYPING[i % len(TYPING)]).text)  # fmt: skip
    ways["a Korean prompt half typed finds it"] = ("ko", "ko", lambda scene, i: kept[i][: max(2, len(kept[i]) // 2)])
    queries, answer = {}, {}
    for name, (_, has, write) in ways.items():
        places = [i for i, language in enumerate(languages) if language == has]
        queries[name], answer[name] = [write(shown[i], i) for i in places], places
    return Store(kept, queries, answer)


def sentence_store(count: int) -> Store:
    """Real captions: of each pair the Korean or the English is kept, and the other asks for it."""
    rows = [line.split("\t") for line in (DATA / "sts-dev.pairs.tsv").read_text("utf-8").splitlines()[1:]]
    pairs = list({ko: en for genre, ko, en in rows if genre == "main-captions"}.items())[:count]
    kept = [ko if i % 2 else en for i, (ko, en) in enumerate(pairs)]
    places = list(range(len(pairs)))
    one, other = "Korean finds English", "English finds Korean"
    queries = {one: [ko for ko, _ in pairs[::2]], other: [en for _, en in pairs[1::2]]}
    return Store(kept, queries, {one: places[::2], other: places[1::2]})


def spearman_rows(encoder: PromptEncoder) -> dict[str, list[float]]:
    """Rank correlation with people's scores, within a language and across, for every way."""
    rows = [line.split("\t") for line in (DATA / "sts-dev.scored.tsv").read_text("utf-8").splitlines()[1:]]
    scores = np.array([float(row[1]) for row in rows])
    table = {}
    for name, a, b in (("Korean, Korean", 2, 3), ("English, English", 4, 5), ("Korean, English", 2, 5)):
        one, other = [row[a] for row in rows], [row[b] for row in rows]
        near = (_embedded(encoder, one) * _embedded(encoder, other)).sum(axis=1)
        pairs = zip(one, other, strict=True)
        letters = np.array([Letters(search_key(x)).likeness(Letters(search_key(y))) for x, y in pairs])
        table[name] = [float(np.corrcoef(_ranks(way(near, letters)), _ranks(scores))[0, 1]) for way in WAYS.values()]
    return table


def _full(language: str) -> Callable[[Scene, int], str]:
    return lambda scene, i: caption(scene, language, seed=7).text


def _title(language: str) -> str:
    return {"ko": "Korean", "en": "English"}[language]


def _embedded(encoder: PromptEncoder, texts: list[str]) -> np.ndarray:
    return np.concatenate([encoder.search(texts[i : i + 64]) for i in range(0, len(texts), 64)])


def _rank(scores: np.ndarray, sought: np.ndarray) -> np.ndarray:
    """How many kept prompts score above the one sought, for each query."""
    own = scores[np.arange(len(sought)), sought][:, None]
    return (scores > own).sum(axis=1)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, means where values are equal."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


if __name__ == "__main__":
    sys.exit(main())
