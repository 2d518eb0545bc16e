"""Adds revenue that a reconciliation found perhaps there twice, and which of it a person has acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table; the next reconciliation fills it."""
    op.create_table(
        "push_repeated",
        sa.Column("entry", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("chunk", sa.Integer),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("list_ref", sa.Text),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("found_at", sa.Text, nullable=False),
        sa.Column("acknowledged_at", sa.Text),
    )
