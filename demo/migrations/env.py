"""Alembic runs the revisions on the connection that `demo.database.upgrade` hands it."""

from alembic import context

from demo.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
