"""Revenue that was sent and has left the input, and new rows that may be its corrected version.

    NEW_AMOUNT a row without a record_id that equals a row that has left in everything but the amount
    REPLACED   in any file and under any id: a row of the same message with the same time or amount, or of the same
               contact with the same time and amount.
               A row without a record_id also in these cases:
               - It has the same message, and the row that has left seems to have been in its file: the file was in
                 the input when that row was sent, or it came later and has rows that were sent before, as a new
                 export has.
               - It has the same contact and amount, the row that has left seems to have been in its file in the same
                 way, and the file has rows that were sent: a file that only ever has new rows has none.
               - It has the same time, offer and amount, for any contact, and is in the file that the other row was
                 in; if that file has left the input, in a file that has half of its rows. At most as many rows count
                 as have left. If the time is only a date, which many sales share, the file must have rows that were
                 sent.
               - It has the same message, and its file replaced others as a whole: 9 in 10 rows of both sides are of
                 the same messages.

A row that still exists but is another sale now, with another message or another time and amount, has left with the
values that it was sent with: if records were renumbered, the sale has another id now. A row of the same message and
time is then held.

The time of a row that has left is known only from the archive of this data directory. The amount of a row that was
taken over may be unknown; then it equals any. If no row has left, added rows are new. A row that left and was decided
about does not count again. What does not belong here: what happens to rows that are found (`same_rows`).
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
"""Our codes for rows that are found."""

GONE = "gone:"
"""Prefix of the identity of a row that has left and was decided about."""

_NEARLY_ALL = 0.9
"""The share of rows that two files must share for one to count as the corrected version of the other."""

_DAY = 86_400_000_000
"""Microseconds of a day."""

REPLACED_COLUMNS = "seq BIGINT, code VARCHAR, identity VARCHAR"
"""Columns of the temporary table `replaced`."""

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
    """Fill the temporary table `replaced`: new rows, each with a row that has left and that it may stand for.

    Needs the tables `known`, `held`, `parents`, `sources`, `sent`, `since`, `calls` and `decided` (see `compare`,
    `same_rows`, `like_sent`).

    Args:
        connection: the connection of the stage.
        ledger: an open ledger.
        archive: the relation to select archived revenue from; "" if nothing is archived.
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
        " AND (n.base IN (SELECT base FROM decided)"  # a decision stays, whatever the name of the file
        "  OR g.ours AND n.same_message AND n.file IN (SELECT file FROM took_over)"
        "   AND g.place IN (SELECT place FROM given_up)"
        "  OR g.ours AND CASE WHEN since.moment <= g.moment THEN n.same_message OR first_sent IS NOT NULL"
        "  ELSE first_sent < coalesce(since.moment, '9') END)"
    )


_UNNAMED = f"record_id IS NULL AND {IS_UNSENT}"
"""A row with a record_id is new by its id, unless something else says that the record was renamed."""

_OPEN = f"(n.base IN (SELECT base FROM decided) OR '{GONE}' || g.identity NOT IN (SELECT base FROM decided))"


def _load_gone(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Make the temporary table `gone`: revenue that was sent and is in no part of the input now."""
    declared = ", ".join(f"{name} {kind}" for name, kind in _GONE.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE left_out_of ({declared})")
    for rows in ledger_rows(ledger, REVENUE, tuple(_GONE), every_part=True):
        insert(connection, "left_out_of", rows)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT"
        # for rows that the ledger took over, the contact is known from the send only
        " g.* REPLACE (coalesce(contact, contact_of_send) AS contact), moment, coalesce(source, 0) AS place,"
        # without the occurrence number
        f" CASE WHEN starts_with(identity, 'content:') THEN {BASE} END AS base"
        " FROM left_out_of AS g JOIN calls USING (chunk) LEFT JOIN (SELECT identity AS send,"
        " contact AS contact_of_send FROM parents) ON send = message_id"
        f" WHERE outcome IN {sql_list(MAYBE_IN_ACCOUNT)}"
        " AND CASE WHEN ours THEN identity NOT IN (SELECT identity FROM ready) ELSE NOT current END"
        # an equal row of another file is in the input, and is held
        f" AND {BASE} NOT IN (SELECT base FROM sent_before)"
    )


def _load_times(connection: duckdb.DuckDBPyConnection, archive: str) -> None:
    """Make the temporary table `timed`: rows of `gone` with a known time, and rows that are another sale now."""
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
    """Make the temporary tables `kept` (when a row of a file was first sent), `heirs`, `given_up`, `took_over`.

    The heirs of a file that has left the input are the files that have half of the rows sent from it; a file in the
    input is its own heir. Rows are paired by message. A file that has left is given up if 9 in 10 of its rows that
    have left have a new row as a pair. A file took over if 9 in 10 of its rows are such new rows.
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
    """Return a query for the files that have the rows sent from a file: place, file."""
    rows = "SELECT coalesce(source, 0) AS place, file, count(*) AS rows FROM sent WHERE ours GROUP BY ALL"
    return (
        "SELECT source AS place, file FROM sources UNION ALL"
        f" SELECT place, file FROM (SELECT *, sum(rows) OVER (PARTITION BY place) AS sent FROM ({rows}))"
        " WHERE file IS NOT NULL AND 2 * rows >= sent AND place NOT IN (SELECT source FROM sources)"
    )


def _matched(one: str, other: str, by: str) -> str:
    """Return SQL that joins the groups of a table of rows by message with what the other has of each message."""
    return (
        f"SELECT a.{by} FROM {one} AS a LEFT JOIN (SELECT message_id, sum(rows) AS rows FROM {other}"
        f" GROUP BY message_id) AS b ON b.message_id = a.message_id GROUP BY a.{by}"
    )


def _with_amounts_of_gone() -> str:
    """Return a query for new rows, each with its identity if it had the amount of a gone row of its message."""
    amount = sql_amount("amount")
    before = identity_base(REVENUE, PUSHED[REVENUE].fields)
    return (
        f"SELECT seq, base, {before} AS before FROM (SELECT ready.* REPLACE ({amount} AS revenue) FROM ready"
        " JOIN (SELECT DISTINCT message_id AS gone_id, amount FROM gone) ON gone_id = ready.message_id"
        f" WHERE {_UNNAMED})"
    )


def _alike() -> str:
    """Return a query for new rows, each with gone rows so like it that they count as the same sale under another id.

    A row with a record_id is new if the gone row had none, even if message and time are the same.
    """
    row = "SELECT ready.seq, ready.base, gone.identity FROM ready JOIN"
    # an unknown amount equals any
    amount = f"coalesce(gone.amount = {sql_units('ready.revenue')}, true)"
    return (
        f"{row} gone ON gone.message_id = ready.message_id AND {amount} WHERE {IS_UNSENT}"
        f" UNION ALL {row} timed AS gone ON gone.message_id = ready.message_id AND gone.happened_at = ready.timestamp"
        f" WHERE {IS_UNSENT} AND (ready.record_id IS NULL OR gone.base IS NULL)"
        f" UNION ALL {row} parents ON parents.identity = ready.message_id JOIN timed AS gone"
        f" ON gone.contact = parents.contact AND gone.happened_at = ready.timestamp AND {amount} WHERE {IS_UNSENT}"
    )


def _moved() -> str:
    """Return a query for new rows, each with a gone row of its file and the same values, but another message.

    The contact may be another too. Rows that were decided about, on either side, do not count: `decided_once` keeps
    their decision. A gone row counts here even if another new row has its message, because the message is weaker
    evidence.
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
    """Return a query for new rows, each with the gone rows of its message, or of its contact and amount."""
    row = "ready.seq, ready.base, ready.file, gone.identity"
    which = f"({_UNNAMED} OR {IS_UNSENT} AND ready.base IN (SELECT base FROM decided))"
    return (
        f"SELECT {row}, true AS same_message FROM ready JOIN gone ON gone.message_id = ready.message_id WHERE {which}"
        f" UNION ALL SELECT {row}, false FROM ready JOIN parents ON parents.identity = ready.message_id"
        f" JOIN gone ON gone.contact = parents.contact AND gone.amount = {sql_units('ready.revenue')}"
        f" WHERE {which}"
    )
