"""Adds digests of what was sent, the input's files, and decisions about revenue that may be there twice."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add columns and tables; for existing rows it is unknown what was sent."""
    op.add_column("push_rows", sa.Column("content", sa.BigInteger))
    op.add_column("push_rows", sa.Column("likeness", sa.BigInteger))
    op.add_column("push_intakes", sa.Column("differs", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "push_files",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("since", sa.Text, nullable=False),
    )
    op.create_table(
        "push_decisions",
        sa.Column("decision", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("choice", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Text, nullable=False),
    )
    op.create_table(
        "push_decided",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("base", sa.Text, primary_key=True),
        sa.Column("decision", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
    )
