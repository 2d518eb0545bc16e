"""What rows with an outcome of their own are counted by, all of it in their index: there may be a million of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_INDEX, _ROWS = "push_rows_own_outcome", "push_rows"


def upgrade() -> None:
    """Make the index of these rows anew."""
    own = sa.text("outcome IS NOT NULL")
    op.drop_index(_INDEX, _ROWS, if_exists=True)  # nothing else needs it to be there
    op.create_index(
        _INDEX,
        _ROWS,
        ["dataset", "outcome", "code", "current", "chunk"],
        sqlite_where=own,
        postgresql_where=own,
    )
