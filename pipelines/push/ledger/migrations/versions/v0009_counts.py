"""Adds to the index of rows with an own outcome all columns by which they are counted: there may be a million."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_INDEX, _ROWS = "push_rows_own_outcome", "push_rows"


def upgrade() -> None:
    """Create the index of these rows again."""
    own = sa.text("outcome IS NOT NULL")
    op.drop_index(_INDEX, _ROWS, if_exists=True)  # nothing else depends on it
    op.create_index(
        _INDEX,
        _ROWS,
        ["dataset", "outcome", "code", "current", "chunk"],
        sqlite_where=own,
        postgresql_where=own,
    )
