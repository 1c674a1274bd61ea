"""What every index does with its records: they are written to the store, whatever finds them afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from index.records import Record
from index.store import Store


class StoredRecords:
    """Writing: by any thread of any process; on a connection that is handed in, the caller commits."""

    store: Store

    def add(
        self, id: str, group: str, vector: np.ndarray, owner: str, public: bool, connection: sa.Connection | None = None
    ) -> None:
        """Add a record, or give a known one a new vector and visibility. Raises ValueError, RefusedRecord."""
        self.store.add([Record(id, group, vector, owner, public)], connection)

    def add_many(self, records: Sequence[Record], connection: sa.Connection | None = None) -> None:
        """Add records, all or none."""
        self.store.add(records, connection)

    def set_visibility(self, id: str, public: bool, connection: sa.Connection | None = None) -> None:
        """Show a record to everyone, or to its owner alone. Raises UnknownId."""
        self.store.set_visibility(id, public, connection)

    def remove(self, id: str, connection: sa.Connection | None = None) -> None:
        """Erase a record's vector, group and owner now; files follow (see `removed`). Raises UnknownId."""
        self.store.remove([id], connection)

    def remove_many(self, ids: Sequence[str], connection: sa.Connection | None = None) -> None:
        """Erase records, all or none. Raises UnknownId."""
        self.store.remove(ids, connection)

    def outdated(self, limit: int = 1_000) -> list[str]:
        """Return ids that another encoder embedded: they are found once they are added with new vectors."""
        return self.store.outdated(limit)

    def live_count(self) -> int:
        """Return how many records there are, removed ones not counted."""
        return self.store.count_live()
