"""Events are numbered within their generation: what a client sees must not count everybody's.

Revision ID: 0005
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"

NUMBERED = """
UPDATE events SET number = (
    SELECT COUNT(*) FROM events AS earlier
    WHERE earlier.generation_id = events.generation_id AND earlier.seq <= events.seq
)"""
COUNTED = """
UPDATE generations SET event_count = (
    SELECT COALESCE(MAX(number), 0) FROM events WHERE events.generation_id = generations.id
)"""


def upgrade() -> None:
    op.add_column("events", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("generations", sa.Column("event_count", sa.Integer(), nullable=False, server_default="0"))
    op.execute(NUMBERED)
    op.execute(COUNTED)
