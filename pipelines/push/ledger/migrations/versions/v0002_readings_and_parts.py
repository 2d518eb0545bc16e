"""Adds what settling revenue by readings needs, resolutions by hand, and parts of the input.

The program had these before its ledgers had a version. So a ledger of that time, which counts as 0001, may have some
or all of them already: each step checks what exists.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and tables. Rows sent before have no reading, so those in doubt are settled by hand."""
    _add_missing(
        "push_chunks",
        sa.Column("part", sa.Text, nullable=False, server_default=""),
        sa.Column("reading", sa.Integer),
    )
    before = ("amount_before", "count_before", "phone_amount_before", "phone_count_before")
    _add_missing("push_rows", *(sa.Column(name, sa.BigInteger) for name in before))
    if "part" not in _columns("push_intakes"):
        _give_intakes_a_part()
    op.create_table(
        "push_readings",
        sa.Column("reading", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "push_resolutions",
        sa.Column("resolution", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("resolved_at", sa.Text, nullable=False),
        if_not_exists=True,
    )


def _columns(table: str) -> set[str]:
    """Return the columns of a table; none for a missing table, so that adding one fails as on any damaged ledger."""
    found = sa.inspect(op.get_bind())
    return {column["name"] for column in found.get_columns(table)} if found.has_table(table) else set()


def _add_missing(table: str, *columns: sa.Column[int] | sa.Column[str]) -> None:
    there = _columns(table)
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)


def _give_intakes_a_part() -> None:
    """Create the table again, because a primary key cannot be extended."""
    _add_missing("push_intakes", sa.Column("first_taken_in_at", sa.Text))
    op.rename_table("push_intakes", "push_intakes_0001")
    op.create_table(
        "push_intakes",
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False, server_default=""),
        sa.Column("rows_in", sa.BigInteger, nullable=False),
        sa.Column("quarantined", sa.BigInteger, nullable=False),
        sa.Column("duplicate", sa.BigInteger, nullable=False),
        sa.Column("parked", sa.BigInteger, nullable=False),
        sa.Column("taken_in_at", sa.Text, nullable=False),
        sa.Column("first_taken_in_at", sa.Text),
        sa.PrimaryKeyConstraint("dataset", "part", name="push_intakes_of_part"),
    )
    op.execute(
        "INSERT INTO push_intakes (dataset, part, rows_in, quarantined, duplicate, parked, taken_in_at,"
        " first_taken_in_at) SELECT dataset, '', rows_in, quarantined, duplicate, parked, taken_in_at,"
        " coalesce(first_taken_in_at, taken_in_at) FROM push_intakes_0001"
    )
    op.drop_table("push_intakes_0001")
