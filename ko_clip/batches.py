"""Which pairs a step trains on: a pure function of the recipe and the step, so that a run resumes exactly.

In: corpora and their weights. Out: batches of one corpus each, sorted by length, in parts that are padded to their own
longest row. Each corpus is read in an order shuffled anew every epoch. A batch holds rows of every length: batches of
one length alone (`pool` of them drawn together, sorted, cut and shuffled) need no padding, but each then pulls the
weights towards its own length, and the same student learned four times slower by the pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ko_clip.corpora import Corpus
from ko_clip.tokenizer import PromptTokenizer

_BLOCK = 4096  # steps whose corpora are drawn together


@dataclass(frozen=True)
class Batch:
    """This process's rows of one step. `everyone`: the English texts of all processes' rows."""

    corpus: int
    indices: tuple[int, ...]
    ids: torch.Tensor  # (rows, tokens), padded to the longest row
    texts: tuple[str, ...]  # the English texts that the teachers read
    everyone: tuple[str, ...]


class Sampler:
    """Batches by step. `rank` and `world`: this process and how many there are."""

    def __init__(
        self, corpora: Sequence[Corpus], weights: Sequence[float], tokenizer: PromptTokenizer, batch: int,
        seed: int = 0, pool: int = 1, rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        self.corpora, self.tokenizer, self.batch, self.seed, self.pool = corpora, tokenizer, batch, seed, pool
        self.rank, self.world = rank, world
        self.shares = np.cumsum(np.asarray(weights, dtype=np.float64) / np.sum(weights))
        self._pools: dict[int, tuple[int, list[list[tuple]]]] = {}
        self._plan = np.zeros(0, dtype=np.int64)  # the corpus of each step, drawn block by block
        self._steps_of: list[np.ndarray] = []  # of each corpus, in order

    def at(self, step: int) -> Batch:
        """The batch of one step."""
        return self.parts_at(step, 1)[0]

    def parts_at(self, step: int, parts: int) -> list[Batch]:
        """The batch of one step in parts of like length, each padded to its own longest row."""
        which = self.corpus_of(step)
        turn = self.steps_before(step, [which])
        number, place = divmod(turn, self.pool)
        if self._pools.get(which, (-1, []))[0] != number:
            self._pools[which] = (number, self._draw_pool(which, number))
        rows = self._pools[which][1][place]
        size = -(-len(rows) // (parts * self.world)) * self.world  # every process has as many rows of every part
        return [self._batch(which, rows[i : i + size]) for i in range(0, len(rows), size)]

    def _batch(self, which: int, rows: list[tuple]) -> Batch:
        mine = rows[self.rank :: self.world]
        return Batch(
            which, tuple(r[0] for r in mine), pad([r[2] for r in mine], self.tokenizer.pad_id),
            tuple(r[1] for r in mine), tuple(r[1] for r in rows),
        )  # fmt: skip

    def corpus_of(self, step: int) -> int:
        """The corpus that a step trains on."""
        self._extend(step)
        return int(self._plan[step])

    def steps_before(self, step: int, corpora: Sequence[int]) -> int:
        """How many steps before this one train on any of these corpora, found without walking over them."""
        self._extend(step)
        return sum(int(np.searchsorted(self._steps_of[corpus], step)) for corpus in corpora)

    def _extend(self, step: int) -> None:
        if step < len(self._plan):
            return
        blocks = [self._plan]
        for block in range(len(self._plan) // _BLOCK, step // _BLOCK + 1):
            draws = np.random.default_rng((self.seed, 1, block)).random(_BLOCK)
            blocks.append(np.searchsorted(self.shares, draws, side="right").clip(max=len(self.corpora) - 1))
        self._plan = np.concatenate(blocks)
        self._steps_of = [np.flatnonzero(self._plan == corpus) for corpus in range(len(self.corpora))]

    def _draw_pool(self, which: int, number: int) -> list[list[tuple]]:
        """`pool` batches of (index, English text, ids)."""
        corpus, size = self.corpora[which], self.batch * self.world
        rows = []
        for position in range(number * self.pool * size, (number + 1) * self.pool * size):
            epoch, place = divmod(position, len(corpus))
            index = int(_order(len(corpus), self.seed, which, epoch)[place])
            rows.append((index, *corpus.pair(index, epoch)))
        encoded = self.tokenizer.encode_all([row[1] for row in rows])
        full = [(index, english, each.ids) for (index, _, english), each in zip(rows, encoded, strict=True)]
        full.sort(key=lambda row: len(row[2]))
        batches = [full[i : i + size] for i in range(0, len(full), size)]
        np.random.default_rng((self.seed, 2, which, number)).shuffle(batches)  # type: ignore[arg-type]
        return batches


@lru_cache(maxsize=8)
def _order(rows: int, seed: int, which: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, 3, which, epoch)).permutation(rows).astype(np.int32)


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> torch.Tensor:
    """(rows, longest) int64; of rows of bools, bool."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *([pad_id] * (width - len(row)))] for row in rows])
