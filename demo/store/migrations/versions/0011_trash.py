"""When a picture, and a set of them, was put into the trash."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("generations", sa.Column("trashed_at", sa.Double(), nullable=True))
    op.add_column("images", sa.Column("trashed_at", sa.Double(), nullable=True))
    op.create_index(op.f("ix_images_trashed_at"), "images", ["trashed_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_images_trashed_at"), table_name="images")
    op.drop_column("images", "trashed_at")
    op.drop_column("generations", "trashed_at")
