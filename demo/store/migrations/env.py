"""Alembic runs the revisions on the connection that `demo.store.database.upgrade` hands it.

They follow each other by `down_revision`; numbers only name them. A number is never given twice, for a database may
hold it: 0004 named the queue's change while that was being made, was never in a release, and the change came as 0006.
"""

from alembic import context

from demo.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
