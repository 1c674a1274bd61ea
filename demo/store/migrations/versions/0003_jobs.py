"""One JSON column for the job itself, in place of a column for each of its fields.

The rows of version 0002 are all draws, or variations where a source picture is named. Their batch keys stay as they
were written: rows with one key could be drawn together then, and can be now.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
CHUNK = 500
FIELDS = ("negative_prompt", "steps", "guidance_scale", "refine", "refine_strength", "style", "style_weight")
OF_VARY = ("source_image", "strength")


def upgrade() -> None:
    op.add_column("generations", sa.Column("kind", sa.Text(), nullable=False, server_default="draw"))
    op.add_column("generations", sa.Column("spec", sa.JSON(), nullable=False, server_default="{}"))
    op.execute("ALTER TABLE generations RENAME COLUMN shape TO batch_key")
    _write_specs()
    op.execute(sa.text("UPDATE idempotency SET body_digest = ''"))  # of another JSON form: the key alone tells
    for name in (*FIELDS, *OF_VARY):
        op.drop_column("generations", name)


def _write_specs() -> None:
    names = ("id", "prompt", "n", "seed", *FIELDS, *OF_VARY)
    types: dict[str, sa.types.TypeEngine[Any]] = {"kind": sa.Text(), "spec": sa.JSON(), "refine": sa.Boolean()}
    table = sa.table(
        "generations", *(sa.column(name, types.get(name, sa.types.NullType())) for name in (*names, "kind", "spec"))
    )
    bind, last = op.get_bind(), ""
    while True:
        query = sa.select(*(table.c[name] for name in names)).where(table.c.id > last).order_by(table.c.id).limit(CHUNK)
        rows = bind.execute(query).mappings().all()
        if not rows:
            return
        for row in rows:
            kind = "draw" if row["source_image"] is None else "vary"
            wanted = ("n", "seed", "prompt", *FIELDS, *(OF_VARY if kind == "vary" else ()))
            spec = {"kind": kind, **{name: row[name] for name in wanted}}
            bind.execute(table.update().where(table.c.id == row["id"]).values(kind=kind, spec=spec))
        last = rows[-1]["id"]
