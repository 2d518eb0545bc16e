"""The run that a call was part of, so that what a killed push did can be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add it; of earlier calls it is not known."""
    op.add_column("push_chunks", sa.Column("run", sa.Text))
