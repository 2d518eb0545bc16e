"""What settling revenue by reading needs, resolutions by hand, and parts of the input."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; what was sent before has no reading, so that rows in doubt of then are settled by hand."""
    op.add_column("push_chunks", sa.Column("part", sa.Text, nullable=False, server_default=""))
    op.add_column("push_chunks", sa.Column("reading", sa.Integer))
    for name in ("amount_before", "count_before", "phone_amount_before", "phone_count_before"):
        op.add_column("push_rows", sa.Column(name, sa.BigInteger))
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
        " first_taken_in_at) SELECT dataset, '', rows_in, quarantined, duplicate, parked, taken_in_at, taken_in_at"
        " FROM push_intakes_0001"
    )
    op.drop_table("push_intakes_0001")
    op.create_table(
        "push_readings",
        sa.Column("reading", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
    )
    op.create_table(
        "push_resolutions",
        sa.Column("resolution", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("resolved_at", sa.Text, nullable=False),
    )
