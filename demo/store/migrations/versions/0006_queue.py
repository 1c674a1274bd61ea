"""Turns in place of times in the queue's order, addresses of waiting jobs, workers of any number, counted bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


PLACES = """
UPDATE generations SET turn = (
    SELECT COUNT(*) FROM generations AS other
    WHERE other.status = 'queued' AND (other.created_at < generations.created_at
        OR (other.created_at = generations.created_at AND other.id <= generations.id))
) WHERE status = 'queued'"""


LONG = (("generations", "seed"), ("images", "seed"), ("images", "bytes"), ("events", "seq"))  # of PostgreSQL: 64 bits


def upgrade() -> None:
    count = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    if op.get_bind().dialect.name == "postgresql":  # seeds go up to 2**32 - 1; SQLite's integers are long anyway
        for table, name in LONG:
            op.alter_column(table, name, type_=sa.BigInteger())
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", count, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('turn', 0)")
    op.execute("INSERT INTO counters (name, value) SELECT 'picture_bytes', coalesce(sum(bytes), 0) FROM images")
    for table, name in (("generations", "turn"), ("generations", "address_turn"), ("owners", "served_turn")):
        op.add_column(table, sa.Column(name, count, nullable=False, server_default="0"))
    op.add_column("generations", sa.Column("address", sa.Text(), nullable=True))
    op.create_index(op.f("ix_generations_address"), "generations", ["address"], unique=False)
    op.execute(PLACES)
    op.execute("UPDATE counters SET value = (SELECT COUNT(*) FROM generations WHERE status = 'queued') "
               "WHERE name = 'turn'")  # fmt: skip
    op.drop_column("owners", "served_at")
    op.execute("DELETE FROM workers")  # each of them makes its row anew when it starts
    op.drop_column("workers", "incarnation")
