"""Settings of the index, and the one file that `python -m index tune` writes beside it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from index.graphs import ENGINES

logger = logging.getLogger(__name__)
TUNED = "tuned.json"


@dataclass(frozen=True)
class IndexOptions:
    """`n_trees` and `recall` may be None: what `tune` wrote into the folder, or the default, is used."""

    engine: str = "annoy"  # annoy or hnswlib: what proposes neighbours in a large scope (graphs.py)
    exact_below: int = 10_000  # a scope with fewer vectors is searched exactly; so many may be fresh
    n_trees: int | None = None  # trees of an Annoy file: more find more, and cost disk and build time
    recall: float | None = None  # recall@10 that a build makes sure of when it chooses search_k
    fresh_share: float = 0.02  # of the file's rows: beyond it (and exact_below) the file is rebuilt
    erase_within: float = 60.0  # seconds until a rebuild takes a removed record's vector out of the file is due
    background: bool = True  # rebuild and clean from a thread of this process
    own_process: bool = True  # build in a child process, where the database can be reached from one

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"index engine is {self.engine!r}: it must be one of {', '.join(ENGINES)}")
        if self.exact_below < 1:
            raise ValueError(f"exact_below is {self.exact_below}: it must be at least 1")
        if self.n_trees is not None and not 1 <= self.n_trees <= 1_000:
            raise ValueError(f"n_trees is {self.n_trees}: it must be from 1 to 1000")
        if self.recall is not None and not 0.5 <= self.recall <= 1:
            raise ValueError(f"recall is {self.recall}: it must be from 0.5 to 1")
        if not 0 <= self.fresh_share <= 1 or self.erase_within < 0:
            raise ValueError("fresh_share must be from 0 to 1 and erase_within not negative")

    @property
    def trees(self) -> int:
        """`n_trees`, or the default where it is left open."""
        return int(DEFAULTS["n_trees"]) if self.n_trees is None else self.n_trees

    @property
    def target(self) -> float:
        """`recall`, or the default where it is left open."""
        return DEFAULTS["recall"] if self.recall is None else self.recall


DEFAULTS: dict[str, float] = {"n_trees": 48, "recall": 0.95}


def tuned(options: IndexOptions, folder: Path) -> IndexOptions:
    """Fill what `options` leaves open from the folder's tuned setting, else from the defaults."""
    chosen = {name: value for name in DEFAULTS if (value := getattr(options, name)) is not None}
    try:
        written = json.loads((folder / TUNED).read_text())
        return replace(options, **{name: written[name] for name in DEFAULTS} | chosen)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("index: %s is not readable (%s): the defaults are used, tune again", TUNED, error)
    return replace(options, **DEFAULTS | chosen)


def write_tuned(options: IndexOptions, folder: Path) -> None:
    """Keep `n_trees` and `recall` for the builds to come."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TUNED).write_text(json.dumps({name: asdict(options)[name] for name in DEFAULTS}) + "\n")
