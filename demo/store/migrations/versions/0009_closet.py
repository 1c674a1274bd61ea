"""Likes, collections, posts, single pictures of a set, and the words by which pictures are filtered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _text(name: str, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=nullable)


def _float(name: str) -> "sa.Column[float]":
    return sa.Column(name, sa.Double(), nullable=False)


def upgrade() -> None:
    op.add_column("images", sa.Column("withheld", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("images", sa.Column("likes", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "likes", _text("owner_id"), _text("image_id"), _float("created_at"),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]), sa.PrimaryKeyConstraint("owner_id", "image_id"),
    )  # fmt: skip
    op.create_index("likes_owner_created", "likes", ["owner_id", "created_at", "image_id"])
    op.create_index(op.f("ix_likes_image_id"), "likes", ["image_id"])
    op.create_table(
        "collections", _text("id"), _text("owner_id"), _text("name"), _float("created_at"), _float("place"),
        _text("cover_id", nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]), sa.PrimaryKeyConstraint("id"),
    )  # fmt: skip
    op.create_index(op.f("ix_collections_owner_id"), "collections", ["owner_id"])
    op.create_index(op.f("ix_collections_cover_id"), "collections", ["cover_id"])
    op.create_table(
        "collection_items", _text("collection_id"), _text("image_id"), _float("added_at"),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"]),
        sa.PrimaryKeyConstraint("collection_id", "image_id"),
    )  # fmt: skip
    op.create_index("collection_items_added", "collection_items", ["collection_id", "added_at", "image_id"])
    op.create_index(op.f("ix_collection_items_image_id"), "collection_items", ["image_id"])
    op.create_table(
        "posts", _text("image_id"), _text("owner_id"), _text("caption"), _text("author"), _float("created_at"),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]), sa.PrimaryKeyConstraint("image_id"),
    )  # fmt: skip
    op.create_index(op.f("ix_posts_owner_id"), "posts", ["owner_id"])
    op.create_table(
        "word_uses", _text("generation_id"), _text("field"), _text("word"),
        sa.PrimaryKeyConstraint("generation_id", "field", "word"),
    )  # fmt: skip
    op.create_index("word_uses_word", "word_uses", ["field", "word", "generation_id"])


def downgrade() -> None:
    for table in ("word_uses", "posts", "collection_items", "collections", "likes"):
        op.drop_table(table)
    op.drop_column("images", "likes")
    op.drop_column("images", "withheld")
