"""Revenue that is or may be in the account: with the values it was sent with, and with those of the input now.

If a row with a record_id is corrected in its file, the account keeps what was sent. The same sale in another file,
under another id, may equal either version. In its own file the version that was sent no longer exists: a row of that
file that is like it is another sale, unless it equals all that was sent, as when the file's records were renumbered.
The version that the file has now is compared with other files only. Rows of other parts of the input are compared
with what the ledger notes of that version.

    sent   revenue in the account or in doubt: `content` and `likeness` as it was sent, without the tag of the digest,
           since neither holds a phone number; `is_other` if the input has the row with other content, or may have
    faces  the same by `likeness`, and a second row with the present likeness (`is_now`) of each that `is_other`
    said   by identity, the present likeness that the ledger notes, for every part of the input, and whether the row
           is of this part
    since  when each file came into the input
    calls  when each call was meant to be sent

What does not belong here: what happens to rows that equal one of them (`same_rows`), and rows that have left the
input (`replaced`).
"""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.decisions import call_times, files_since
from pipelines.push.ledger.queries.revenue.corrected import corrected, note_corrected
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.stage.database import is_any, is_empty
from pipelines.push.values.content_digest import TAG_BITS, likeness
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED
from schemas.values.money import sql_amount
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

_LIKENESS = f"{likeness(PUSHED[REVENUE])} >> {TAG_BITS}"


def load_sent(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Make the tables of this module.

    Args:
        connection: the connection of the stage, with the table `known`.
        ledger: an open ledger.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE calls (chunk INTEGER, moment VARCHAR)")
    insert(connection, "calls", call_times(ledger))
    _load_as_sent(connection)
    if is_any(connection, "sent WHERE likeness IS NULL AND is_in"):
        _complete(connection, ledger)
    _load_faces(connection, ledger)
    _load_since(connection, ledger)


def note_faces(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Note in the ledger the present likeness of corrected revenue, so that other parts of the input can use it.

    Args:
        connection: the connection of the stage, compared; it has this module's tables if input and ledger have
            revenue.
        ledger: a ledger that is open for writing.
    """
    if is_empty(connection) or not is_any(connection, "known WHERE ours"):
        return
    says = connection.execute(
        "SELECT identity, min(faces.likeness) FROM faces JOIN sent USING (identity) WHERE is_now AND ours GROUP BY 1"
    ).fetchall()
    as_sent = (
        "SELECT identity FROM said JOIN sent USING (identity) WHERE of_this_part AND is_in AND NOT is_other"
    )
    back = [identity for (identity,) in connection.execute(as_sent).fetchall()]
    note_corrected(ledger, dict(says), back)


def _load_as_sent(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `sent`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sent AS SELECT identity, ours, moment, source, r.seq, r.file,"
        f" known.content >> {TAG_BITS} AS content, likeness >> {TAG_BITS} AS likeness,"
        " CASE WHEN identity LIKE 'content:%' THEN left(identity, 40) ELSE identity END AS base,"
        " r.identity IS NOT NULL AS is_in,"
        f" is_in AND coalesce(r.content >> {TAG_BITS} <> known.content >> {TAG_BITS}, true) AS is_other"
        " FROM known JOIN calls USING (chunk)"
        " LEFT JOIN (SELECT identity, seq, file, content FROM ready) AS r USING (identity)"
        f" WHERE outcome IN {sql_list(MAYBE_IN_ACCOUNT)}"
    )


def _load_faces(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Make the tables `said` and `faces`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE faces AS"
        " SELECT identity, base, likeness, content, moment, source, file, is_other, false AS is_now FROM sent;"
        f"INSERT INTO faces SELECT identity, base, {_LIKENESS}, NULL, moment, source, i.file, true, true"
        " FROM sent JOIN (SELECT seq, file, message_id, offer_id, revenue FROM input) AS i USING (seq)"
        " WHERE is_other;"
        # the row is held back now: it is broken, or in conflict with another
        f"INSERT INTO faces SELECT identity, identity, {_LIKENESS}, NULL, moment, source, i.file, true, true"
        " FROM sent JOIN (SELECT base AS key, file, message_id, offer_id, revenue FROM input"
        " WHERE seq IN (SELECT seq FROM verdicts)) AS i ON key = identity WHERE NOT is_in"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE said (identity VARCHAR, of_this_part BOOLEAN, likeness BIGINT)"
    )
    insert(connection, "said", corrected(ledger))
    connection.execute(
        "INSERT INTO faces SELECT identity, base, said.likeness, NULL, moment, source, NULL, true, true"
        " FROM sent JOIN said USING (identity) WHERE NOT ours"
    )


def _complete(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Compute the likeness of rows that the ledger has without one, from their message and amount there."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sent_with (identity VARCHAR, of_message VARCHAR, amount BIGINT)"
    )
    names = ["identity", "message_id", "amount"]
    for rows in ledger_rows(ledger, REVENUE, (*names, "likeness"), every_part=True):
        insert(connection, "sent_with", rows.filter(pc.is_null(rows["likeness"])).select(names))
    connection.execute(
        f"UPDATE sent SET likeness = w.likeness FROM (SELECT identity, {_LIKENESS} AS likeness FROM ("
        "SELECT w.identity, coalesce(of_message, message_id) AS message_id, offer_id,"
        f" coalesce({sql_amount('amount')}, revenue) AS revenue FROM sent_with AS w"
        " JOIN (SELECT identity, message_id, offer_id, revenue FROM ready) AS r USING (identity))) AS w"
        " WHERE sent.identity = w.identity AND sent.likeness IS NULL"
    )


def _load_since(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Make the table `since`."""
    since = files_since(ledger)
    connection.execute("CREATE OR REPLACE TEMP TABLE paths (path VARCHAR, moment VARCHAR)")
    paths, moments = pa.array(list(since), pa.string()), pa.array(list(since.values()), pa.string())
    insert(connection, "paths", pa.table({"path": paths, "at": moments}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE since AS SELECT file, moment FROM files JOIN paths USING (path)"
    )


def like_sent() -> str:
    """Return a query for rows that are not in the account, each with a sent row that is like it: seq, identity.

    A row that a call has left pending or rejected is compared only with rows that were sent from other files.
    """
    others = (
        "f.base <> r.base AND (mine IS NULL OR from_file <> f.source) AND CASE"
        " WHEN f.file IS DISTINCT FROM r.file THEN true WHEN f.is_now THEN false"
        f" WHEN f.is_other AND f.content = r.content >> {TAG_BITS} THEN true"
        " ELSE since.moment IS NULL OR since.moment > f.moment END"
    )
    return (
        "SELECT DISTINCT r.seq, f.identity FROM ("
        f"SELECT seq, ready.base, file, ready.content, {_LIKENESS} AS likeness,"
        " known.identity AS mine, known.source AS from_file"
        " FROM ready LEFT JOIN known ON known.identity = ready.identity"
        f" WHERE coalesce(known.outcome NOT IN {sql_list(MAYBE_IN_ACCOUNT)}, true)) AS r"
        f" JOIN faces AS f ON f.likeness = r.likeness LEFT JOIN since ON since.file = r.file WHERE {others}"
    )
