"""Revenue that was sent and has left the files since, and new rows that may be what it was corrected to.

    NEW_AMOUNT a row without a record_id that equals one that has left in all but the amount
    REPLACED   one of the same message, in a file that the one that has left seems to have stood in: it was in the
               input when that one was sent, or it came later and has rows that were sent before, as a new export
               has. So does one of the same contact and amount, if its file has rows that were sent at all: a file
               that only ever has what is new has none

Where nothing has left, rows that are added are new. A row that left and was decided about does not count again. What
does not belong here: what becomes of rows that are found (`same_rows`).
"""

import duckdb

from pipelines.push.checks.revenue.overlaps import BASE
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.stage.database import count
from pipelines.push.values.identity import identity_base
from pipelines.warehouse.structure.tables import insert
from schemas.registry import PUSHED
from schemas.values.money import sql_amount, sql_units
from schemas.values.outcomes import MAYBE_IN_ACCOUNT, sql_list

NEW_AMOUNT, REPLACED = "new_amount", "replaced"
"""Our codes."""

GONE = "gone:"
"""Before the identity of a row that has left: it was decided about."""

REPLACED_COLUMNS = "seq BIGINT, code VARCHAR, identity VARCHAR"
"""Of the temporary table `replaced`."""

_GONE = {
    "identity": "VARCHAR",
    "outcome": "VARCHAR",
    "message_id": "VARCHAR",
    "contact": "VARCHAR",
    "amount": "BIGINT",
    "chunk": "INTEGER",
    "ours": "BOOLEAN",
    "current": "BOOLEAN",
}


def find_replaced(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Fill the temporary table `replaced`: new rows, each with one that it may stand for.

    Needs `known`, `parents`, `since`, `calls` and `decided` (see `compare` and `same_rows`).
    """
    _load_gone(connection, ledger)
    if not count(connection, "SELECT count(*) FROM (SELECT 1 FROM gone LIMIT 1)"):
        return
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE kept AS SELECT ready.file, min(calls.moment) AS first_sent FROM ready"
        " JOIN known ON known.identity = ready.base JOIN calls USING (chunk) GROUP BY ready.file"
    )
    connection.execute(
        f"INSERT INTO replaced SELECT DISTINCT n.seq, '{NEW_AMOUNT}', g.identity"
        f" FROM ({_with_amounts_of_gone()}) AS n JOIN gone AS g ON g.base = n.before WHERE {_OPEN};"
        f"INSERT INTO replaced SELECT DISTINCT n.seq, '{REPLACED}', g.identity FROM ({_pairs()}) AS n"
        " JOIN gone AS g USING (identity) LEFT JOIN since USING (file) LEFT JOIN kept USING (file)"
        f" WHERE {_OPEN} AND g.ours AND n.seq NOT IN (SELECT seq FROM replaced)"
        " AND (n.base IN (SELECT base FROM decided)"  # what was decided stays so, whatever the file is called
        "  OR CASE WHEN since.moment <= g.moment THEN n.same_message OR first_sent IS NOT NULL"
        "  ELSE first_sent < coalesce(since.moment, '9') END)"
    )


_NEW = "record_id IS NULL AND NOT EXISTS (SELECT 1 FROM known WHERE known.identity = ready.identity)"
_OPEN = f"(n.base IN (SELECT base FROM decided) OR '{GONE}' || g.identity NOT IN (SELECT base FROM decided))"


def _load_gone(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """The temporary table `gone`: revenue that was sent and is in no part's input any more."""
    declared = ", ".join(f"{name} {kind}" for name, kind in _GONE.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE left_out_of ({declared})")
    for rows in ledger_rows(ledger, REVENUE, tuple(_GONE), every_part=True):
        insert(connection, "left_out_of", rows)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT g.*, moment,"
        # without the number of a repeat
        f" CASE WHEN starts_with(identity, 'content:') THEN {BASE} END AS base"
        f" FROM left_out_of AS g JOIN calls USING (chunk) WHERE outcome IN {sql_list(MAYBE_IN_ACCOUNT)}"
        " AND CASE WHEN ours THEN identity NOT IN (SELECT identity FROM ready) ELSE NOT current END"
        # an equal row of another file is here, which is held
        f" AND {BASE} NOT IN (SELECT base FROM sent_before);"
        "DROP TABLE left_out_of"
    )


def _with_amounts_of_gone() -> str:
    """New rows, each with what it would be known by if it had the amount of a row of its message that is gone."""
    amount = sql_amount("amount")
    before = identity_base(REVENUE, PUSHED[REVENUE].fields)
    return (
        f"SELECT seq, base, {before} AS before FROM (SELECT ready.* REPLACE ({amount} AS revenue) FROM ready"
        " JOIN (SELECT DISTINCT message_id AS gone_id, amount FROM gone) ON gone_id = ready.message_id"
        f" WHERE {_NEW})"
    )


def _pairs() -> str:
    """New rows, each with rows that are gone of its message, or of its contact and amount."""
    row = "ready.seq, ready.base, ready.file, gone.identity"
    return (
        f"SELECT {row}, true AS same_message FROM ready JOIN gone ON gone.message_id = ready.message_id WHERE {_NEW}"
        f" UNION ALL SELECT {row}, false FROM ready JOIN parents ON parents.identity = ready.message_id"
        f" JOIN gone ON gone.contact = parents.contact AND gone.amount = {sql_units('ready.revenue')}"
        f" WHERE {_NEW}"
    )
