"""The words of the drawn domain that each generation's text has, kept as rows, so that pictures are filtered by them.

A text is read once, by the reader of the checkpoint's domain: at the start what is not yet read, later what has come
since the last filtered list.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.tables import Generation, WordUse
from demo.studio.prompts import DomainReader

AT_ONCE = 200  # texts in one transaction: some 0.5 s of reading
FIELDS = ("garment", "color", "style")  # what pictures are filtered by


def read_words(database: Database, reader: DomainReader, most: int = AT_ONCE) -> int:
    """Read the words of generations that have not been read yet, the newest first; returns how many."""
    with database.read() as session:
        read = select(WordUse.generation_id).where(WordUse.generation_id == Generation.id).exists()
        query = select(Generation.id, Generation.prompt, Generation.spec).where(~read)
        rows = session.execute(query.order_by(Generation.created_at.desc()).limit(most)).all()
    words = {id: _words(prompt, spec, reader) for id, prompt, spec in rows}
    if words:
        with database.write() as session:
            _add(session, words)
    return len(words)


def word_named(field: str, text: str, reader: DomainReader) -> str:
    """The word that a person's text names (원피스 and dress: `dress`); any other text as it is."""
    return next((one.id for one in reader.editable_words(text) if one.field == field), text)


def _words(prompt: str, spec: Mapping[str, object], reader: DomainReader) -> set[tuple[str, str]]:
    words = {(one.field, one.id) for one in reader.editable_words(prompt) if one.field in FIELDS}
    return words | {("style", style) for style in _styles(spec)} | {("", "")}


def _styles(spec: Mapping[str, object]) -> list[str]:
    """The styles of a job: that of its form, and its LoRA styles."""
    beside = spec.get("styles")
    named = [each.get("name") for each in beside if isinstance(each, Mapping)] if isinstance(beside, list) else []
    return [str(name) for name in (spec.get("style"), *named) if name]


def _add(session: Session, words: Mapping[str, set[tuple[str, str]]]) -> None:
    """Add rows, by generation; what another process has added, or whose generation is gone meanwhile, is left."""
    there = session.scalars(select(Generation.id).where(Generation.id.in_(words)))
    rows = [{"generation_id": id, "field": field, "word": word} for id in there for field, word in sorted(words[id])]
    if session.get_bind().dialect.name == "postgresql":  # imported where used: 20 modules
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # each dialect has its own Insert
    if rows:
        session.execute(insert(WordUse).on_conflict_do_nothing(), rows)
