"""The ledger's tables, for SQLite and PostgreSQL alike.

    push_intakes  the current input of each dataset and part: how many rows it has, and how many are not sent
    push_chunks   one row per call: its intent before, its answer after
    push_rows     one row per history row that was ever part of an intent, except packed ones
    push_packs    one row per call of sends or clicks whose rows have no outcome of their own; it holds all these rows
    push_readings      one row per reading of the contacts' totals after which revenue was sent
    push_resolutions   one row per decision of a person about a row: when, why and who
    push_acknowledged  the present content of rows that differ from what was sent, if a person has acknowledged it
    push_corrected     the present likeness of revenue that was sent with other content
    push_files         the files of the current input of each dataset and part, and since when it has them
    push_sources       a number for each file that revenue was sent from
    push_decisions     decisions of a person about revenue that may be in the account twice, with the reason
    push_decided       the rows of a decision
    push_absent        one row per row of a lost call that was called absent, or settled by a person: it is watched
    push_alarms        one row per time that such rows turned up
    push_repeated      one row per time that a reconciliation found a row of revenue to be there once too often

The outcome of a row is its own, if it has one, else it follows from its chunk's state: `answered` gives accepted;
`intended` (a call that is under way, or died with its process) gives pending, for revenue in_doubt. So a chunk
whose rows are all accepted needs no update of rows, and one of sends or clicks is a single insert for all its
rows. If several machines push on one ledger, each has its own part of the input; a row belongs to the part of its
chunk. Times are ISO 8601 texts in UTC; money is in ten-thousandths. What does not belong here: the moves between
states (`ledger.ledger`), and secrets: the API key is never stored here.
"""

import sqlalchemy as sa

metadata = sa.MetaData()


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


INTAKES = sa.Table(
    "push_intakes",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True, server_default=""),
    sa.Column("rows_in", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
    sa.Column("duplicate", sa.BigInteger, nullable=False),
    sa.Column("parked", sa.BigInteger, nullable=False),
    sa.Column("taken_in_at", sa.Text, nullable=False),
    sa.Column("first_taken_in_at", sa.Text),
    _counter("differs"),  # rows that differ from what was sent, without acknowledged ones
)

CHUNKS = sa.Table(
    "push_chunks",
    metadata,
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("part", sa.Text, nullable=False, server_default=""),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column(
        "current", sa.Integer, nullable=False
    ),  # rows of the current input without an outcome of their own
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("reading", sa.Integer),  # for revenue: the reading of totals before the call
    sa.Column("intended_at", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),  # of the attempt that was answered or cut off
    sa.Column("answered_at", sa.Text),  # for a lost call: when waiting for the answer ended
    sa.Column("attempts", sa.Integer),
    sa.Column("http_status", sa.Integer),
    _counter("success_count"),
    _counter("error_count"),
    _counter("duplicates_skipped"),
    _counter("invalid_phones"),
    sa.Column("total_revenue", sa.BigInteger),  # as the API acknowledged it
    sa.Column("error", sa.Text),
    sa.Column("run", sa.Text),  # the run that made it; null if the program kept none
)

ROWS = sa.Table(
    "push_rows",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("chunk", sa.Integer, nullable=False),  # the latest call that it was in
    sa.Column("tries", sa.Integer, nullable=False),  # how many calls it was in
    sa.Column("current", sa.Boolean, nullable=False),  # whether it is in the current input
    sa.Column("outcome", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    # digests of what was sent (see `values.content_digest`); null for rows of a program that kept none
    sa.Column("content", sa.BigInteger),
    sa.Column("likeness", sa.BigInteger),  # for revenue
    sa.Column("source", sa.Integer),  # for revenue: the number of the file that it was sent from
    # needed to settle revenue in doubt: the contact whose totals count a row, its amount, and the totals before;
    # these are null if the reading did not find the contact
    sa.Column("contact", sa.Text),
    sa.Column("list_ref", sa.Text),
    sa.Column("message_id", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("amount_before", sa.BigInteger),
    sa.Column("count_before", sa.BigInteger),
    sa.Column("phone_amount_before", sa.BigInteger),
    sa.Column("phone_count_before", sa.BigInteger),
    sa.Column("absent_since", sa.Text),  # when a reading of its present call began that did not show it
    sa.Column("settled_at", sa.Text),  # when a person settled it, or the reading that did began
    sqlite_with_rowid=False,
)
sa.Index(
    "push_rows_own_outcome",
    ROWS.c.dataset,
    ROWS.c.outcome,
    ROWS.c.code,
    ROWS.c.current,
    ROWS.c.chunk,  # with this column `figures` counts a million rows from the index alone
    sqlite_where=ROWS.c.outcome.is_not(None),  # on PostgreSQL too; to say it here would import that dialect
)

_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text sorted by its bytes, as SQLite and Python sort."""

PACKS = sa.Table(
    "push_packs",
    metadata,
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("first", _BYTEWISE, nullable=False),  # the least of its identities
    sa.Column("last", _BYTEWISE, nullable=False),
    sa.Column(
        "current", sa.Boolean, nullable=False
    ),  # whether its rows are in the current input: all of them, or none
    sa.Column("rows", sa.LargeBinary, nullable=False),  # see `packed_rows`
)
sa.Index("push_packs_span", PACKS.c.dataset, PACKS.c.last, PACKS.c.first, PACKS.c.chunk)

READINGS = sa.Table(
    "push_readings",
    metadata,
    sa.Column("reading", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),  # whether every contact was seen
)

RESOLUTIONS = sa.Table(
    "push_resolutions",
    metadata,
    sa.Column("resolution", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("resolved_at", sa.Text, nullable=False),
    sa.Column("resolved_by", sa.Text),  # the user of the machine; null if unknown
)

ACKNOWLEDGED = sa.Table(
    "push_acknowledged",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("content", sa.BigInteger, nullable=False),  # the digest of the present content
)

CORRECTED = sa.Table(
    "push_corrected",
    metadata,
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, nullable=False),
    sa.Column(
        "likeness", sa.BigInteger, nullable=False
    ),  # of the present content, without the tag of the digest
)

FILES = sa.Table(
    "push_files",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
)

SOURCES = sa.Table(
    "push_sources",
    metadata,
    sa.Column("source", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
)

DECISIONS = sa.Table(
    "push_decisions",
    metadata,
    sa.Column("decision", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("part", sa.Text, nullable=False),
    sa.Column("choice", sa.Text, nullable=False),  # count or once
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text),
)

DECIDED = sa.Table(
    "push_decided",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("base", sa.Text, primary_key=True),  # the identity of the rows without an occurrence number
    sa.Column("decision", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),  # how many rows it was about
    sa.Column("times", sa.BigInteger, nullable=False),  # how many of them are sales
)

ABSENT = sa.Table(
    "push_absent",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("chunk", sa.Integer, nullable=False),  # the lost call
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("list_ref", sa.Text),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("sent_at", sa.Text, nullable=False),  # when that call was sent
    sa.Column("called_at", sa.Text, nullable=False),
    # the contact's totals at the last reading that did not show the row, and its times; null times: no reading yet
    sa.Column("read_from", sa.Text),
    sa.Column("read_to", sa.Text),
    sa.Column("amount_then", sa.BigInteger),
    sa.Column("count_then", sa.BigInteger),
    sa.Column("phone_amount_then", sa.BigInteger),
    sa.Column("phone_count_then", sa.BigInteger),
    sa.Column("watched", sa.Boolean, nullable=False),  # whether it may still turn up
    sa.Column("alarm", sa.Integer),  # the alarm that names it
)
sa.Index("push_absent_contact", ABSENT.c.contact)

ALARMS = sa.Table(
    "push_alarms",
    metadata,
    sa.Column("alarm", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("raised_at", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column(
        "sent_again", sa.Integer, nullable=False
    ),  # how many of them had been sent again, so that the account counts them twice
    sa.Column("contacts", sa.Integer, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),  # the greatest age of the calls when it was raised
    sa.Column("settle_seconds", sa.Float, nullable=False),  # how long a call may take from then on
    sa.Column("acknowledged_at", sa.Text),
    sa.Column("reason", sa.Text),
)

REPEATED = sa.Table(
    "push_repeated",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("chunk", sa.Integer),  # the call that is there twice; null for a row that was itself sent again
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("list_ref", sa.Text),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("found_at", sa.Text, nullable=False),
    sa.Column("acknowledged_at", sa.Text),  # null: found by the last reconciliation, not seen yet
)
