"""Similar past prompts: add, remove and search vectors, live, private and safe from damaged files.

    index = PromptIndex(folder, engine, dim=384, encoder_id="sha256:…")
    index.add("prompt-1", group="빨간 원피스", vector=vector, owner="user-7", public=False)
    index.search(vector, k=10, viewer="user-7")    # [Hit(id="prompt-1", group="빨간 원피스", score=1.0)]

The store (the database) is the truth. A search first looks up its sequence number, so that it finds what any
process has committed, then reads a generation (files, see generation.py) and a memory segment (see memory_segment.py).
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from index.background_rebuilder import BackgroundRebuilder
from index.build import build
from index.folder import IndexFolder
from index.generation import Damaged, IndexGeneration
from index.layers import Layers
from index.options import IndexOptions
from index.records import Hit, check_k, check_name, unit
from index.store import Store
from index.stored import StoredRecords

logger = logging.getLogger(__name__)
BUILD_SHARE = 2.0  # removals have the file rebuilt for a third of the time at most


class PromptIndex(StoredRecords):
    """An index in the folder `path` over the records in `engine`'s database; threads may share it."""

    def __init__(
        self, path: str | Path, engine: sa.Engine, dim: int, encoder_id: str, options: IndexOptions | None = None
    ) -> None:
        self.options = options or IndexOptions()
        self.store = Store(engine, dim, encoder_id)
        self.folder = IndexFolder(path)
        self._opening = threading.Lock()
        self._layers: Layers | None = None
        self._refused: tuple[str, str] | None = None  # the damaged generation that need not be read again
        self._erased: set[int] = set()  # numbers whose texts this process has overwritten in every file
        self._rebuilder = BackgroundRebuilder(self.tend) if self.options.background else None

    def removed(self, id: str) -> bool:
        """Say whether a removed record has left every file of this folder too. Raises UnknownId.

        Where its vector has not yet, its texts are overwritten now, and a rebuild is due soon.
        """
        removal = self.store.removal(id)
        if removal is None:
            return False
        if self.folder.all_have_seen(removal.seq):
            return True
        if removal.number not in self._erased:
            self.folder.note_removal()
            if self._layers is not None:
                self._caught_up()
                self._erase_texts()
            self.folder.erase_texts([removal.number])
            self._erased.add(removal.number)
        if self._rebuilder:
            self._rebuilder.watch()
        return False

    # Reading

    def search(self, vector: np.ndarray, k: int = 10, viewer: str | None = None) -> list[Hit]:
        """Return the `k` nearest groups among what `viewer` may see (None: public ones only), best first."""
        query, k = unit(vector, self.store.dim), check_k(k)
        if viewer is not None:
            check_name("viewer", viewer)
        layers = self._caught_up()
        if self._rebuilder:
            self._rebuilder.watch(urgent=self._wants_rebuild(layers))
        return layers.search(query, k, viewer)

    def stats(self) -> dict[str, int | str | None]:
        """Return counts for the operator; they cover everybody's records."""
        layers = self._caught_up()
        generation, sizes = layers.generation, layers.sizes()
        segments = generation.segments.values() if generation else ()
        graphs = [segment.near.search_k for segment in segments if segment.near]
        return {
            "sequence": layers.seq, "encoder_id": self.store.encoder_id, "dim": self.store.dim,
            "groups": sum(sizes.values()), "scopes": len(sizes), "fresh_rows": layers.fresh,
            "generation": generation.name if generation else None,
            "generation_rows": len(generation) if generation else 0,
            "generation_bytes": generation.bytes_on_disk if generation else 0,
            "engine": generation.engine if generation and graphs else None, "graphs": len(graphs),
            "n_trees": generation.n_trees if generation and graphs and generation.engine == "annoy" else None,
            "search_k": max(graphs) if graphs else None, "outdated": self.store.count_outdated(),
        }  # fmt: skip

    def verify(self) -> list[str]:
        """Read every file anew and count against the store; return what is wrong, in words."""
        problems = []
        try:
            if self.folder.open_current(self.store) is None and len(self._caught_up().generation or ()):
                problems.append("the folder was deleted: a rebuild brings it back")
        except Damaged as error:
            problems.append(f"damaged: {error}")
        for _ in range(10):  # until nothing is written meanwhile
            layers = self._caught_up()
            sequence, counted, stored = layers.seq, layers.sizes(), self.store.scope_sizes()
            if self.store.sequence() == sequence:
                if counted != stored:
                    found, there = sum(counted.values()), sum(stored.values())
                    problems.append(f"{found} groups can be found, the store has {there}")
                break
        return problems

    # Keeping the file fresh

    def rebuild(self) -> None:
        """Build a generation of all that is committed now, and use it. Raises OSError, RuntimeError."""
        with self.folder.lease(wait=True) as lease:
            assert lease is not None  # it waited
            self._build(lease)

    def tend(self) -> None:
        """Take over another process's generation; rebuild and delete what is due, if nobody else does."""
        sound = self.refresh()
        layers = self._caught_up()
        self._erase_texts()
        using = layers.generation.name if layers.generation else None
        due = not sound or self._wants_rebuild(layers)
        del layers  # lets the generation go once no search uses it
        if due or self.folder.leftovers(using):
            with self.folder.lease() as lease:
                if lease is not None and due:
                    self._build(lease)
                elif lease is not None:
                    self.folder.sweep(using)

    def refresh(self) -> bool:
        """Use the folder's current generation if it is a new one; return False if it has to be built again."""
        using = self._current_layers().generation
        try:
            pointer = self.folder.current()
        except Damaged:
            return False
        if pointer is None:
            return using is None
        if using and pointer[0] == using.name:
            return True
        generation = self._open_generation() if pointer != self._refused else None
        if generation is None:
            return using is not None
        fresh = Layers(self.store, generation)
        fresh.catch_up(self.store.sequence(), gently=True)  # while searches still use the old ones
        self._layers = fresh
        return True

    def close(self) -> None:
        """Stop the background thread. Whoever still searches may go on."""
        if self._rebuilder:
            self._rebuilder.stop()

    def _build(self, lease: int) -> None:
        self.folder.forget_removal()  # one that comes while this is built is noted anew
        build(self.folder, self.store, self.options, lease)
        self._erased.clear()
        self.refresh()
        using = self._current_layers().generation
        self.folder.sweep(using.name if using else None)

    def _wants_rebuild(self, layers: Layers) -> bool:
        rows = len(layers.generation) if layers.generation else 0
        if layers.fresh > max(self.options.exact_below, self.options.fresh_share * rows):
            return True
        if layers.generation is not None and layers.generation.engine != self.options.engine:
            return True
        since = layers.erasing_since
        if since is None or layers.generation is None:
            return False
        within = self.options.erase_within
        patience = within and max(within, BUILD_SHARE * layers.generation.seconds)
        return time.monotonic() - since >= patience - self.folder.removal_age(patience)

    def _erase_texts(self) -> None:
        """Overwrite what the files still say of removed records: in this process's copy, then on the disk."""
        layers = self._layers
        if layers is not None and layers.removed:
            self.folder.note_removal()
            self.folder.erase_texts(layers.erase_texts())

    def _current_layers(self) -> Layers:
        if self._layers is None:
            with self._opening:
                if self._layers is None:
                    self._layers = Layers(self.store, self._open_generation())
        return self._layers

    def _caught_up(self) -> Layers:
        layers, sequence = self._current_layers(), self.store.sequence()
        if sequence < layers.seq:  # an older database was put in place: all that was read of the other is void
            layers = self._layers = Layers(self.store, self._open_generation())
        layers.catch_up(sequence)
        return layers

    def _open_generation(self) -> IndexGeneration | None:
        pointer = None
        try:
            pointer = self.folder.current()
            return self.folder.open_current(self.store)
        except Damaged as error:
            self._refused = pointer
            logger.warning("index: not opened, searching exactly until it is rebuilt: %s", error)
            return None
