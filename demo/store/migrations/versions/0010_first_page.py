"""Which public generations the admin approved for everybody's first page: those of the starter gallery are."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("generations", sa.Column("approved", sa.Boolean(), nullable=False, server_default=sa.false()))
    generations = sa.table("generations", sa.column("owner_id", sa.Text), sa.column("approved", sa.Boolean))
    op.execute(generations.update().where(generations.c.owner_id == "starter").values(approved=True))


def downgrade() -> None:
    op.drop_column("generations", "approved")
