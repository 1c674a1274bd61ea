"""Alembic runs the revisions on the connection that `demo.store.database.upgrade` hands it."""

from alembic import context

from demo.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
