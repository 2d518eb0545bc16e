"""Adds the file that a row of revenue was sent from, so that the same row of another file is held for a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a table and a column; for rows sent before, the file is unknown."""
    op.create_table(
        "push_sources",
        sa.Column("source", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("path", sa.Text, nullable=False, unique=True),
    )
    op.add_column("push_rows", sa.Column("source", sa.Integer))
