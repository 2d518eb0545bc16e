"""Revenue that is in the account, or may be, by what it was sent with and by what the input says of it now.

A row with a record_id that is corrected in its file stays in the account as it was sent. A sale that another file has
under another id may equal either of the two. As it was sent the row no longer stands in its file: beside it there a
row is another sale, unless it says all that was sent, as where the records of the file were numbered again. What the
file says now is compared with other files alone: those of other parts of the input know it by the ledger.

    sent   revenue in the account or in doubt: `content` and `likeness` as it was sent, without the tag of the digest,
           since they hold no phone number; `is_other` where the input has it and says something else, or may
    faces  the same by `likeness`, and what the input says of those that are other: `is_now`
    said   by identity, what the ledger has of that of every part of the input, and whether it is of this one
    since  when each file came into the input
    calls  when each call was meant to be sent

What does not belong here: what becomes of rows that equal one of them (`same_rows`), and rows that have left the
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
        connection: the stage's, with the table `known`.
        ledger: an open one.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE calls (chunk INTEGER, moment VARCHAR)")
    insert(connection, "calls", call_times(ledger))
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
    if is_any(connection, "sent WHERE likeness IS NULL AND is_in"):
        _complete(connection, ledger)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE faces AS"
        " SELECT identity, base, likeness, content, moment, source, file, is_other, false AS is_now FROM sent;"
        f"INSERT INTO faces SELECT identity, base, {_LIKENESS}, NULL, moment, source, i.file, true, true"
        " FROM sent JOIN (SELECT seq, file, message_id, offer_id, revenue FROM input) AS i USING (seq)"
        " WHERE is_other;"
        # held back by now: it is broken, or in conflict with another
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
    _load_since(connection, ledger)


def note_faces(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Note in the ledger what the input says of revenue that was sent otherwise, for other parts of the input.

    Args:
        connection: the stage's, compared; it has the tables of this module where both sides have revenue.
        ledger: open for writing.
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


def _complete(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """The likeness of what the ledger took over, or an older program sent: by its message and amount there."""
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
    since = files_since(ledger)
    connection.execute("CREATE OR REPLACE TEMP TABLE paths (path VARCHAR, moment VARCHAR)")
    paths, moments = pa.array(list(since), pa.string()), pa.array(list(since.values()), pa.string())
    insert(connection, "paths", pa.table({"path": paths, "at": moments}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE since AS SELECT file, moment FROM files JOIN paths USING (path)"
    )


def like_sent() -> str:
    """Rows that are not in the account, each with one that is and is like it, as a query: seq, identity of that one.

    A row that a call has left pending or rejected is compared with those that were sent from other files.
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
