"""What picture a picture was made from, and how many such pictures a deletion left."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("images", sa.Column("parent_id", sa.Text(), nullable=True))
    op.create_index(op.f("ix_images_parent_id"), "images", ["parent_id"], unique=False)
    op.add_column("receipts", sa.Column("children_kept", sa.Integer(), nullable=False, server_default="0"))
    generations = sa.table("generations", sa.column("id", sa.Text), sa.column("spec", sa.JSON))
    images = sa.table("images", sa.column("generation_id", sa.Text), sa.column("parent_id", sa.Text))
    connection = op.get_bind()
    for id, spec in connection.execute(sa.select(generations.c.id, generations.c.spec)).all():
        if isinstance(spec, dict) and (source := spec.get("source_image")):
            connection.execute(images.update().where(images.c.generation_id == id).values(parent_id=source))


def downgrade() -> None:
    op.drop_column("receipts", "children_kept")
    op.drop_index(op.f("ix_images_parent_id"), table_name="images")
    op.drop_column("images", "parent_id")
