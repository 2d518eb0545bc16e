"""Adds the run that made a call, so that the rows of a killed push can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; for earlier calls the run is unknown."""
    op.add_column("push_chunks", sa.Column("run", sa.Text))
