"""The ledger's tables, for SQLite and PostgreSQL alike.

    push_intakes  the current input of each dataset and part: how many rows, how many of them are not to be sent
    push_chunks   one row per call: its intent before, its answer after
    push_rows     one row per history row that was ever part of an intent, save those that are packed
    push_packs    one row per call of sends or clicks whose rows have no outcome of their own: all of its rows
    push_readings      one row per reading of the contacts' totals that revenue was sent after
    push_resolutions   one row per decision of a person about a row: when, why and who
    push_acknowledged  what the rows say that differ from what was sent, once a person has seen it
    push_corrected     what the input says by now of revenue that was sent otherwise
    push_files         the files of the current input of each dataset and part, and since when they are in it
    push_decisions     what a person decided about revenue that may be there twice, with the reason
    push_decided       the rows of a decision
    push_absent        one row per row of a lost call that was called absent: it may turn up all the same
    push_alarms        one row per time that some of these did turn up

A row's outcome is its own, where it has one, else its chunk's: `answered` makes accepted, and `intended` (a call that
is under way, or died with its process) makes pending, for revenue in_doubt. So a chunk of rows that went well costs
no update, and one of sends or clicks a single insert for all its rows. Where several machines push on one ledger,
each has a part of the input of its own; a row belongs to the part of its chunk. Times are ISO 8601 texts in UTC;
money is in ten-thousandths. What does not belong here: the moves between states (`ledger.ledger`), and anything
secret; the API key never gets here.
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
    _counter("differs"),  # rows that say something else by now than was sent, without those acknowledged
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
    sa.Column("reading", sa.Integer),  # for revenue: the totals that were read before it
    sa.Column("intended_at", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),  # of the attempt that was answered or cut off
    sa.Column("answered_at", sa.Text),  # for a lost call: when it was given up
    sa.Column("attempts", sa.Integer),
    sa.Column("http_status", sa.Integer),
    _counter("success_count"),
    _counter("error_count"),
    _counter("duplicates_skipped"),
    _counter("invalid_phones"),
    sa.Column("total_revenue", sa.BigInteger),  # as the API acknowledged it
    sa.Column("error", sa.Text),
    sa.Column("run", sa.Text),  # the run that it was part of; null for calls of a program that kept none
)

ROWS = sa.Table(
    "push_rows",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("chunk", sa.Integer, nullable=False),  # the latest that it was in
    sa.Column("tries", sa.Integer, nullable=False),  # how many chunks it was in
    sa.Column("current", sa.Boolean, nullable=False),  # whether it is in the current input
    sa.Column("outcome", sa.Text),
    sa.Column("code", sa.Text),
    sa.Column("message", sa.Text),
    # digests of what was sent (see `push.content`); null for rows of a program that kept none
    sa.Column("content", sa.BigInteger),
    sa.Column("likeness", sa.BigInteger),  # for revenue
    sa.Column("source", sa.Integer),  # for revenue: the file that it was sent from, by its number
    # what settling revenue in doubt needs: whose totals a row counts in, how much, and what they were before;
    # nulls for these are a contact that the reading did not find
    sa.Column("contact", sa.Text),
    sa.Column("list_ref", sa.Text),
    sa.Column("message_id", sa.Text),
    sa.Column("amount", sa.BigInteger),
    sa.Column("amount_before", sa.BigInteger),
    sa.Column("count_before", sa.BigInteger),
    sa.Column("phone_amount_before", sa.BigInteger),
    sa.Column("phone_count_before", sa.BigInteger),
    sa.Column("absent_since", sa.Text),  # when a reading began that did not show it, of its present call
    sa.Column("settled_at", sa.Text),  # when a reading began that settled it, or when a person did
    sqlite_with_rowid=False,
)
sa.Index(
    "push_rows_own_outcome",
    ROWS.c.dataset,
    ROWS.c.outcome,
    ROWS.c.code,
    ROWS.c.current,
    ROWS.c.chunk,  # with it `figures` counts a million rows without reading them
    sqlite_where=ROWS.c.outcome.is_not(None),  # on PostgreSQL too; to say so here would load that dialect
)

_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text in the order of its bytes, which is SQLite's own, and Python's."""

PACKS = sa.Table(
    "push_packs",
    metadata,
    sa.Column("chunk", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("first", _BYTEWISE, nullable=False),  # of its identities
    sa.Column("last", _BYTEWISE, nullable=False),
    sa.Column(
        "current", sa.Boolean, nullable=False
    ),  # whether its rows are in the current input, all or none
    sa.Column("rows", sa.LargeBinary, nullable=False),  # see `packs`
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
    sa.Column("resolved_by", sa.Text),  # the user of the machine; null where there is none
)

ACKNOWLEDGED = sa.Table(
    "push_acknowledged",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("content", sa.BigInteger, nullable=False),  # the digest of what the file says
)

CORRECTED = sa.Table(
    "push_corrected",
    metadata,
    sa.Column("identity", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, nullable=False),
    sa.Column(
        "likeness", sa.BigInteger, nullable=False
    ),  # of what the file says, without the tag of the digest
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
    sa.Column("base", sa.Text, primary_key=True),  # what the rows are known by, without a number
    sa.Column("decision", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),  # how many it was about
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
    # the contact's totals at the last reading that did not show it, and when that was; nulls for the times: none yet
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
    ),  # how many of them had been sent again, so that they count twice
    sa.Column("contacts", sa.Integer, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),  # how old the call was when it turned up, at most
    sa.Column("settle_seconds", sa.Float, nullable=False),  # how long calls are given since
    sa.Column("acknowledged_at", sa.Text),
    sa.Column("reason", sa.Text),
)
