"""The LoRA styles that can be drawn with: rows that a worker writes once it has opened its checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.tables import StyleRow


@dataclass(frozen=True)
class KnownStyle:
    """`sha256`: of its file; `trigger`: the word that calls it; `base`: what it was trained on; "" if unsaid."""

    name: str
    sha256: str = ""
    trigger: str = ""
    example: str = ""
    base: str = ""


class Styles:
    """Reads and writes the table of styles; safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[KnownStyle]:
        with self._database.read() as session:
            rows = session.scalars(select(StyleRow).order_by(StyleRow.name))
            return [KnownStyle(row.name, row.sha256, row.trigger, row.example, row.base) for row in rows]

    def names(self) -> list[str]:
        return [style.name for style in self.all()]

    def has(self, name: str) -> bool:
        return name in self.names()

    def replace(self, styles: Iterable[KnownStyle]) -> None:
        """Exactly these are there now."""
        wanted = sorted(styles, key=lambda style: style.name)  # workers lock rows in one order
        with self._database.write() as session:
            session.execute(delete(StyleRow).where(StyleRow.name.not_in([style.name for style in wanted])))
            for style in wanted:
                _put(session, style)

    def add(self, style: KnownStyle) -> None:
        with self._database.write() as session:
            _put(session, style)

    def remove(self, name: str) -> None:
        with self._database.write() as session:
            session.execute(delete(StyleRow).where(StyleRow.name == name))


def _put(session: Session, style: KnownStyle) -> None:
    """Write a row over one of its name, in one statement: two workers that start together both have it."""
    if session.get_bind().dialect.name == "postgresql":  # imported where used: 20 modules
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # each dialect has its own Insert
    values = dict(vars(style))
    session.execute(insert(StyleRow).values(**values).on_conflict_do_update(index_elements=["name"], set_=values))
