"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "push_intakes",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("rows_in", sa.BigInteger, nullable=False),
        sa.Column("quarantined", sa.BigInteger, nullable=False),
        sa.Column("duplicate", sa.BigInteger, nullable=False),
        sa.Column("parked", sa.BigInteger, nullable=False),
        sa.Column("taken_in_at", sa.Text, nullable=False),
    )
    op.create_table(
        "push_chunks",
        sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("intended_at", sa.Text, nullable=False),
        sa.Column("sent_at", sa.Text),
        sa.Column("answered_at", sa.Text),
        sa.Column("attempts", sa.Integer),
        sa.Column("http_status", sa.Integer),
        sa.Column("success_count", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("error_count", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("duplicates_skipped", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("invalid_phones", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("total_revenue", sa.BigInteger),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "push_rows",
        sa.Column("dataset", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("chunk", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("contact", sa.Text),
        sa.Column("list_ref", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("amount", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    with_outcome = sa.text("outcome IS NOT NULL")
    op.create_index(
        "push_rows_own_outcome",
        "push_rows",
        ["dataset", "outcome", "current"],
        sqlite_where=with_outcome,
        postgresql_where=with_outcome,
    )
