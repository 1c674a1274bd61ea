"""A set lies in the trash while all of its pictures do."""

from __future__ import annotations

import time
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.store.tables import Generation, Image


def follow_pictures(session: Session, generation_ids: Collection[str]) -> list[Generation]:
    """Bring generations in line with their pictures, in the caller's transaction; returns those that changed."""
    session.flush()
    changed = []
    for generation_id in generation_ids:
        generation = session.get(Generation, generation_id)
        left = select(Image.id).where(Image.generation_id == generation_id, Image.trashed_at.is_(None)).limit(1)
        if generation is None or (session.scalar(left) is None) == (generation.trashed_at is not None):
            continue
        generation.trashed_at = time.time() if generation.trashed_at is None else None
        changed.append(generation)
    return changed
