"""Adds packs: all rows of a call in one row, as long as none of them has an outcome of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table; existing rows stay as they are."""
    bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "push_packs",
        sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("first", bytewise, nullable=False),
        sa.Column("last", bytewise, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("rows", sa.LargeBinary, nullable=False),
    )
    op.create_index("push_packs_span", "push_packs", ["dataset", "last", "first", "chunk"])
