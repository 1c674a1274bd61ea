"""Owners that went over to another one: every browser that they have follows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("owners", sa.Column("moved_to", sa.Text(), nullable=True))
    op.create_index(op.f("ix_owners_moved_to"), "owners", ["moved_to"], unique=False)
