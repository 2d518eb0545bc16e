"""What the input says by now of revenue that was sent otherwise, for other parts of the input."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add it; each part notes its own with its next push."""
    op.create_table(
        "push_corrected",
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("likeness", sa.BigInteger, nullable=False),
    )
