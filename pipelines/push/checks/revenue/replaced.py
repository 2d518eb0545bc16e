"""Revenue that was sent and has left the input since, and new rows that may be what it was corrected to.

    NEW_AMOUNT a row without a record_id that equals one that has left in all but the amount
    REPLACED   in whatever file and under whatever ids: one of the same message with the same time or amount, or of
               the same contact with the same time and amount.
               Without a record_id also: one of the same message, in a file that the one that has left seems to have
               stood in: it was in the input when that one was sent, or it came later and has rows that were sent
               before, as a new export has. So does one of the same contact and amount, if its file has rows that
               were sent at all: a file that only ever has what is new has none.
               So does one of any contact with the same time, offer and amount, in the file that the one that has left
               stood in, or where that file has left the input, in one that has half of its rows: as many as have
               left it. A day alone is the time of many sales: there the file must have rows that were sent
               Likewise one of the same message, where a file as a whole took the place of others: 9 in 10 rows of
               both sides are of the same messages

A row that is there but says another sale by now, of another message, or with another time and amount, has left with
what it was sent with: where records were numbered again, the sale stands under another id. That is held where the
message and the time are the same.

The time of a row that has left is in the archive of this data directory alone. The amount of one that was taken over
may be unknown; then it may be any. Where nothing has left, rows that are added are new. A row that left and was
decided about does not count again. What does not belong here: what becomes of rows that are found (`same_rows`).
"""

import duckdb

from pipelines.push.checks.known_rows import IS_UNSENT
from pipelines.push.checks.revenue.overlaps import BASE
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.stage.database import is_any
from pipelines.push.values.identity import identity_base
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED
from schemas.values.money import sql_amount, sql_units
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

NEW_AMOUNT, REPLACED = "new_amount", "replaced"
"""Our codes."""

GONE = "gone:"
"""Before the identity of a row that has left: it was decided about."""

_NEARLY_ALL = 0.9
"""What two files must have in common for one to be taken for the other, corrected."""

_DAY = 86_400_000_000
"""Microseconds."""

REPLACED_COLUMNS = "seq BIGINT, code VARCHAR, identity VARCHAR"
"""Of the temporary table `replaced`."""

_GONE = {
    "identity": "VARCHAR",
    "outcome": "VARCHAR",
    "message_id": "VARCHAR",
    "contact": "VARCHAR",
    "amount": "BIGINT",
    "chunk": "INTEGER",
    "source": "BIGINT",
    "content": "BIGINT",
    "ours": "BOOLEAN",
    "current": "BOOLEAN",
}


def find_replaced(connection: duckdb.DuckDBPyConnection, ledger: Ledger, archive: str) -> None:
    """Fill the temporary table `replaced`: new rows, each with one that it may stand for.

    Needs `known`, `held`, `parents`, `sources`, `sent`, `since`, `calls` and `decided` (see `compare`, `same_rows`,
    `like_sent`).

    Args:
        connection: the stage's.
        ledger: an open one.
        archive: what to select archived revenue from; "" where nothing is archived.
    """
    if not is_any(connection, f"ready WHERE {IS_UNSENT}"):
        return
    _load_gone(connection, ledger)
    _load_times(connection, archive)
    if not (is_any(connection, "gone") or is_any(connection, "timed")):
        return
    _load_files(connection)
    connection.execute(
        f"INSERT INTO replaced SELECT DISTINCT n.seq, '{NEW_AMOUNT}', g.identity"
        f" FROM ({_with_amounts_of_gone()}) AS n JOIN gone AS g ON g.base = n.before WHERE {_OPEN};"
        f"INSERT INTO replaced SELECT DISTINCT n.seq, '{REPLACED}', g.identity FROM ({_alike()}) AS n"
        " JOIN (SELECT identity FROM gone UNION SELECT identity FROM timed) AS g USING (identity)"
        f" WHERE {_OPEN} AND n.seq NOT IN (SELECT seq FROM replaced) AND n.seq NOT IN (SELECT seq FROM held);"
        f"INSERT INTO replaced SELECT seq, '{REPLACED}', identity FROM ({_moved()});"
        f"INSERT INTO replaced SELECT DISTINCT n.seq, '{REPLACED}', g.identity FROM ({_pairs()}) AS n"
        " JOIN gone AS g USING (identity) LEFT JOIN since USING (file) LEFT JOIN kept USING (file)"
        f" WHERE {_OPEN} AND n.seq NOT IN (SELECT seq FROM replaced)"
        " AND (n.base IN (SELECT base FROM decided)"  # what was decided stays so, whatever the file is called
        "  OR g.ours AND n.same_message AND n.file IN (SELECT file FROM took_over)"
        "   AND g.place IN (SELECT place FROM given_up)"
        "  OR g.ours AND CASE WHEN since.moment <= g.moment THEN n.same_message OR first_sent IS NOT NULL"
        "  ELSE first_sent < coalesce(since.moment, '9') END)"
    )


_UNNAMED = f"record_id IS NULL AND {IS_UNSENT}"
"""A record_id tells what is new, unless something else says that it was renamed."""

_OPEN = f"(n.base IN (SELECT base FROM decided) OR '{GONE}' || g.identity NOT IN (SELECT base FROM decided))"


def _load_gone(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """The temporary table `gone`: revenue that was sent and is in no part's input any more."""
    declared = ", ".join(f"{name} {kind}" for name, kind in _GONE.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE left_out_of ({declared})")
    for rows in ledger_rows(ledger, REVENUE, tuple(_GONE), every_part=True):
        insert(connection, "left_out_of", rows)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT"
        # what the ledger took over has its contact by its send alone
        " g.* REPLACE (coalesce(contact, contact_of_send) AS contact), moment, coalesce(source, 0) AS place,"
        # without the number of a repeat
        f" CASE WHEN starts_with(identity, 'content:') THEN {BASE} END AS base"
        " FROM left_out_of AS g JOIN calls USING (chunk) LEFT JOIN (SELECT identity AS send,"
        " contact AS contact_of_send FROM parents) ON send = message_id"
        f" WHERE outcome IN {sql_list(MAYBE_IN_ACCOUNT)}"
        " AND CASE WHEN ours THEN identity NOT IN (SELECT identity FROM ready) ELSE NOT current END"
        # an equal row of another file is here, which is held
        f" AND {BASE} NOT IN (SELECT base FROM sent_before)"
    )


def _load_times(connection: duckdb.DuckDBPyConnection, archive: str) -> None:
    """The temporary table `timed`: rows of `gone` whose time is known, with it; and those that say another sale."""
    rows = (
        archive or "(SELECT '' AS identity, 0 AS content, NULL::TIMESTAMPTZ AS happened_at, '' AS offer_id)"
    )
    times = (
        "(SELECT identity, content, happened_at, offer_id::VARCHAR AS offer_id"
        f" FROM {rows} WHERE happened_at IS NOT NULL) AS a"
        " ON a.identity = g.identity AND (g.content IS NULL OR a.content = g.content)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE timed AS SELECT g.*, a.happened_at, a.offer_id, false AS is_here FROM gone AS g"
        f" JOIN {times};"
        "INSERT INTO timed BY NAME SELECT g.*, a.happened_at, a.offer_id, true AS is_here FROM left_out_of AS g"
        " JOIN sent AS s ON s.identity = g.identity AND s.is_other"
        " JOIN (SELECT seq, message_id AS message_now, timestamp AS time_now, revenue FROM input) AS i USING (seq)"
        f" JOIN {times} WHERE message_now <> g.message_id"
        f" OR time_now IS DISTINCT FROM a.happened_at AND {sql_units('i.revenue')} <> g.amount;"
        "DROP TABLE left_out_of"
    )


def _load_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Temporary tables: `kept`, since when a file has rows that were sent; `heirs`, `given_up` and `took_over`.

    The heirs of a file that has left the input are those that have half of what was sent from it; else it is its own.
    Rows are paired by message, as many as both sides have. Files that have left the input are given up where 9 in 10
    of their rows that have left have a new one; a file took over where 9 in 10 of its rows are such new ones.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE kept AS SELECT ready.file, min(calls.moment) AS first_sent FROM ready"
        " JOIN known ON known.identity = ready.base JOIN calls USING (chunk) GROUP BY ready.file;"
        f"CREATE OR REPLACE TEMP TABLE heirs AS {_heirs()};"
        "CREATE OR REPLACE TEMP TABLE left_by AS SELECT place, message_id, count(*) AS rows FROM gone WHERE ours"
        " AND place NOT IN (SELECT source FROM sources) GROUP BY ALL;"
        "CREATE OR REPLACE TEMP TABLE come_with AS SELECT file, message_id, count(*) AS rows FROM ready"
        f" WHERE {_UNNAMED} GROUP BY ALL;"
        f"CREATE OR REPLACE TEMP TABLE given_up AS {_matched('left_by', 'come_with', 'place')}"
        f" HAVING sum(least(a.rows, coalesce(b.rows, 0))) >= {_NEARLY_ALL} * sum(a.rows);"
        "DELETE FROM left_by WHERE place NOT IN (SELECT place FROM given_up);"
        f"CREATE OR REPLACE TEMP TABLE took_over AS {_matched('come_with', 'left_by', 'file')}"
        f" HAVING sum(least(a.rows, coalesce(b.rows, 0))) >= {_NEARLY_ALL}"
        " * (SELECT count(*) FROM ready WHERE ready.file = a.file)"
    )


def _heirs() -> str:
    """Which files have what was sent from a file, as a query: place, file."""
    rows = "SELECT coalesce(source, 0) AS place, file, count(*) AS rows FROM sent WHERE ours GROUP BY ALL"
    return (
        "SELECT source AS place, file FROM sources UNION ALL"
        f" SELECT place, file FROM (SELECT *, sum(rows) OVER (PARTITION BY place) AS sent FROM ({rows}))"
        " WHERE file IS NOT NULL AND 2 * rows >= sent AND place NOT IN (SELECT source FROM sources)"
    )


def _matched(one: str, other: str, by: str) -> str:
    """The groups of a table of rows by message, beside what the other has of each message in all."""
    return (
        f"SELECT a.{by} FROM {one} AS a LEFT JOIN (SELECT message_id, sum(rows) AS rows FROM {other}"
        f" GROUP BY message_id) AS b ON b.message_id = a.message_id GROUP BY a.{by}"
    )


def _with_amounts_of_gone() -> str:
    """New rows, each with what it would be known by if it had the amount of a row of its message that is gone."""
    amount = sql_amount("amount")
    before = identity_base(REVENUE, PUSHED[REVENUE].fields)
    return (
        f"SELECT seq, base, {before} AS before FROM (SELECT ready.* REPLACE ({amount} AS revenue) FROM ready"
        " JOIN (SELECT DISTINCT message_id AS gone_id, amount FROM gone) ON gone_id = ready.message_id"
        f" WHERE {_UNNAMED})"
    )


def _alike() -> str:
    """New rows, each with those that are gone and so like it that they are taken for the same sale under other ids.

    A row with a record_id is new beside one that had none, though message and time are the same.
    """
    row = "SELECT ready.seq, ready.base, gone.identity FROM ready JOIN"
    # an amount that is not known may be any
    amount = f"coalesce(gone.amount = {sql_units('ready.revenue')}, true)"
    return (
        f"{row} gone ON gone.message_id = ready.message_id AND {amount} WHERE {IS_UNSENT}"
        f" UNION ALL {row} timed AS gone ON gone.message_id = ready.message_id AND gone.happened_at = ready.timestamp"
        f" WHERE {IS_UNSENT} AND (ready.record_id IS NULL OR gone.base IS NULL)"
        f" UNION ALL {row} parents ON parents.identity = ready.message_id JOIN timed AS gone"
        f" ON gone.contact = parents.contact AND gone.happened_at = ready.timestamp AND {amount} WHERE {IS_UNSENT}"
    )


def _moved() -> str:
    """New rows, each with one that has left its file and says the same of another message, be it another contact's.

    What was decided is kept as it is without it (`decided_once`): such rows, on either side, do not count again. One
    that has left may be this one even where another new one is of its message, which tells less.
    """
    alike = "file, happened_at, amount, offer_id"
    numbered = f"row_number() OVER (PARTITION BY {alike} ORDER BY"
    new = (
        f"SELECT seq, file, timestamp AS happened_at, {sql_units('revenue')} AS amount, offer_id::VARCHAR AS offer_id"
        f" FROM ready WHERE {_UNNAMED} AND timestamp IN (SELECT happened_at FROM timed)"
        " AND base NOT IN (SELECT base FROM decided)"
        " AND seq NOT IN (SELECT seq FROM held) AND seq NOT IN (SELECT seq FROM replaced)"
    )
    left = (
        f"SELECT DISTINCT identity, {alike} FROM timed JOIN heirs USING (place)"
        f" WHERE ours AND NOT is_here AND '{GONE}' || identity NOT IN (SELECT base FROM decided)"
        " AND identity NOT IN (SELECT identity FROM replaced)"
    )
    return (
        f"SELECT seq, identity FROM (SELECT *, {numbered} seq) AS number FROM ({new}))"
        f" JOIN (SELECT *, {numbered} identity) AS number FROM ({left})) USING ({alike}, number)"
        f" LEFT JOIN kept USING (file) WHERE first_sent IS NOT NULL OR epoch_us(happened_at) % {_DAY} <> 0"
    )


def _pairs() -> str:
    """New rows, each with rows that are gone of its message, or of its contact and amount."""
    row = "ready.seq, ready.base, ready.file, gone.identity"
    which = f"({_UNNAMED} OR {IS_UNSENT} AND ready.base IN (SELECT base FROM decided))"
    return (
        f"SELECT {row}, true AS same_message FROM ready JOIN gone ON gone.message_id = ready.message_id WHERE {which}"
        f" UNION ALL SELECT {row}, false FROM ready JOIN parents ON parents.identity = ready.message_id"
        f" JOIN gone ON gone.contact = parents.contact AND gone.amount = {sql_units('ready.revenue')}"
        f" WHERE {which}"
    )
