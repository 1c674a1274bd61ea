"""Search within a list by comparing every prompt in it exactly: for lists that a condition makes, not the index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from demo.store.database import Database
from demo.store.tables import Generation
from demo.studio.prompts import search_key
from demo.studio.searching import Searcher, letters_of, together

MOST_ROWS = 20_000  # generations of a list that are compared, the newest: 30 MB of vectors, some 60 ms
MOST_LIKENESS = 400  # of the nearest, whose letters are compared beside those that hold the whole query


def among(
    searcher: Searcher, database: Database, prompt: str, generation_ids: Select[Any], floor: float
) -> dict[str, float]:
    """The generations of a list that are near enough to a prompt: id → score, the best first.

    Raises ServiceError encoder_missing.
    """
    encoder, vector, letters = searcher.require(), searcher.vector(prompt), letters_of(search_key(prompt))
    known = Generation.encoder_id == encoder.encoder_id
    query = select(Generation.id, Generation.prompt_key, Generation.vector).where(
        Generation.id.in_(generation_ids), known
    )
    with database.read() as session:
        rows = session.execute(query.order_by(Generation.created_at.desc()).limit(MOST_ROWS)).all()
    rows = [row for row in rows if row.vector]
    if not rows:
        return {}
    import numpy as np

    matrix = np.frombuffer(b"".join(row.vector for row in rows), dtype=np.float32).reshape(len(rows), -1)
    cosines = matrix @ vector  # (rows,)
    near = set(np.argsort(-cosines)[:MOST_LIKENESS].tolist())
    near |= {i for i, row in enumerate(rows) if letters.key in row.prompt_key}
    scores = {
        i: float(together(float(cosines[i]), letters.likeness(letters_of(rows[i].prompt_key)))) for i in sorted(near)
    }  # in the order of the list: of equal scores the newest comes first
    best = sorted((i for i in scores if scores[i] >= floor), key=lambda i: -scores[i])
    return {rows[i].id: round(scores[i], 4) for i in best}
