"""What happens once when the services open: the encoder, the starter gallery, prompts that need a new vector."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.store.errors import is_busy
from demo.store.tables import Generation
from demo.studio.prompts import reader_for
from demo.studio.searching import Searcher
from demo.studio.starter import bring_in
from demo.studio.tagging import AT_ONCE, read_words
from demo.studio.visibility import is_public

if TYPE_CHECKING:
    import numpy as np

    from demo.studio.services import Services

logger = logging.getLogger(__name__)
ATTEMPTS, AGAIN_SECONDS = 60, 5.0  # while the database is busy or away


def warm_up(services: Services) -> None:
    """Open the encoder, embed anew what another encoder embedded, bring in the starter gallery."""
    services.searcher.open()
    if not services.searcher.ready:
        return
    for _ in range(ATTEMPTS):
        try:
            _prepare(services)
            return
        except Exception as error:
            if not is_busy(error):
                logger.exception("the starter gallery or the index could not be prepared")
                return
            logger.warning("the starter gallery and the index wait for the database: %s", error)
        time.sleep(AGAIN_SECONDS)


def _prepare(services: Services) -> None:
    bring_in(services)
    count = embed_anew(services.searcher, services)
    if count:
        logger.info("%d prompts were embedded by the encoder in use", count)
    while read_words(services.database, reader_for(services.readiness.domain())) == AT_ONCE:
        pass


def embed_anew(searcher: Searcher, services: Services) -> int:
    """Give every prompt that another encoder embedded a vector of this one; returns how many."""
    encoder, done = searcher.require(), 0
    while ids := searcher.index.outdated(64):
        with services.database.read() as session:
            query = select(Generation.id, Generation.prompt).where(Generation.index_id.in_(ids))
            prompts = dict(session.execute(query).all())
        vectors = dict(zip(prompts, encoder.search(list(prompts.values())), strict=True)) if prompts else {}
        with services.database.write() as session:
            known = {
                row.index_id: row for row in session.scalars(select(Generation).where(Generation.index_id.in_(ids)))
            }
            for index_id in ids:
                _embed(session, searcher, known.get(index_id), index_id, vectors)
        done += len(ids)
    return done


def _embed(
    session: Session, searcher: Searcher, row: Generation | None, index_id: str, vectors: dict[str, np.ndarray]
) -> None:
    connection = session.connection()
    if row is None or row.id not in vectors:
        searcher.index.remove(index_id, connection=connection)
        return
    row.vector, row.encoder_id = vectors[row.id].tobytes(), searcher.require().encoder_id
    public = is_public(row)
    searcher.index.add(index_id, row.prompt_key, vectors[row.id], row.owner_id, public, connection=connection)
