"""Many hosts: which weights a job is to be drawn with, which request asked for it, rates that are counted together."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for name in ("weights", "request_id"):
        op.add_column("generations", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "rate_counts",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Double(), nullable=False),
    )
    op.create_index(op.f("ix_rate_counts_ends"), "rate_counts", ["ends"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE rate_counts SET UNLOGGED")


def downgrade() -> None:
    op.drop_table("rate_counts")
    for name in ("weights", "request_id"):
        op.drop_column("generations", name)
