"""Styles have a table of their own: they were a list in each worker's heartbeat."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    columns = [sa.Column(name, sa.Text(), nullable=False) for name in ("sha256", "trigger", "example", "base")]
    styles = op.create_table(
        "styles", sa.Column("name", sa.Text(), nullable=False), *columns, sa.PrimaryKeyConstraint("name")
    )
    names: dict[str, None] = {}
    for (detail,) in op.get_bind().execute(sa.text("SELECT detail FROM workers")):
        facts = json.loads(detail) if isinstance(detail, str) else detail
        names |= dict.fromkeys(map(str, (facts or {}).get("styles", ())))
    empty = {"sha256": "", "trigger": "", "example": "", "base": ""}  # until a worker opens them
    op.bulk_insert(styles, [{"name": name, **empty} for name in names])
    op.execute("DELETE FROM workers")  # each of them makes its row anew when it starts
