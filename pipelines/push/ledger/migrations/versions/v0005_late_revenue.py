"""Adds rows that were called absent, since when, and alarms about those that turned up."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and tables; nothing is known about rows that were called absent before."""
    op.add_column("push_rows", sa.Column("absent_since", sa.Text))
    op.add_column("push_rows", sa.Column("settled_at", sa.Text))
    op.create_table(
        "push_absent",
        sa.Column("entry", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("chunk", sa.Integer, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("list_ref", sa.Text),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.Text, nullable=False),
        sa.Column("called_at", sa.Text, nullable=False),
        sa.Column("read_from", sa.Text),
        sa.Column("read_to", sa.Text),
        sa.Column("amount_then", sa.BigInteger),
        sa.Column("count_then", sa.BigInteger),
        sa.Column("phone_amount_then", sa.BigInteger),
        sa.Column("phone_count_then", sa.BigInteger),
        sa.Column("watched", sa.Boolean, nullable=False),
        sa.Column("alarm", sa.Integer),
    )
    op.create_index("push_absent_contact", "push_absent", ["contact"])
    op.create_table(
        "push_alarms",
        sa.Column("alarm", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("raised_at", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("sent_again", sa.Integer, nullable=False),
        sa.Column("contacts", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("settle_seconds", sa.Float, nullable=False),
        sa.Column("acknowledged_at", sa.Text),
        sa.Column("reason", sa.Text),
    )
