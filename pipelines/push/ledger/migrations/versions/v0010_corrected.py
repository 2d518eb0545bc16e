"""Adds the present likeness of revenue that was sent with other content, for other parts of the input."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table; each part fills in its rows with its next push."""
    op.create_table(
        "push_corrected",
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("likeness", sa.BigInteger, nullable=False),
    )
