"""Adds acknowledged rows that differ from what was sent, and the user who decided."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add columns and a table; for earlier decisions the user is unknown."""
    op.add_column("push_resolutions", sa.Column("resolved_by", sa.Text))
    op.add_column("push_decisions", sa.Column("decided_by", sa.Text))
    op.create_table(
        "push_acknowledged",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("content", sa.BigInteger, nullable=False),
    )
