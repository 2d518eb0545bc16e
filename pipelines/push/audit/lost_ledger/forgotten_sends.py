"""Sends and clicks that the warehouse knows were sent, and a lost or restored ledger does not know.

A push would send them again, and they would come back as duplicates. But if their files are gone, only the warehouse
knows them. So their records are carried from one warehouse to the next, without the call, until the ledger knows the
row again. If the warehouse was lost as well, sends that revenue names are taken from the archive. Rows of the current
input are pending, as the ledger counts them, with a code by which marts count them as sent. Revenue is taken over
into the ledger itself (`audit.adopt`). What does not belong here: records of rows that the ledger knows.
"""

from collections.abc import Collection

import duckdb
import pyarrow as pa

from pipelines.privacy import Privacy
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.archive.rows import published_facts, rows_of
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.stage.database import is_any
from pipelines.settings import Settings
from schemas.own_tables.imports import FACTS, RECORDS
from schemas.values.outcomes import IN_ACCOUNT, Outcome, sql_list

SENT_BEFORE = "sent_before"
"""Our code for a pending row that an earlier ledger had as sent; marts count it as accepted."""

_WHY = "it was sent by a push that the ledger does not know; the next push sends it again, and repeats are skipped"
_OF = "dataset IN ('sends', 'clicks')"

_AS_FORGOTTEN = {
    "chunk": "NULL",
    "in_input": "false",
    "file": "NULL",
    "row": "NULL",
    "line": "NULL",
    "raw": "NULL",
}
"""Values that are cleared in such a record: its call, and its place in an input."""


def keep_forgotten(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> bool:
    """Copy the records that the ledger does not know, before the tables are replaced; return whether there are any.

    A call is identified by when it was meant to be sent, because a new ledger numbers its calls from 1 again.
    """
    calls = [call["intended_at"] for call in ledger.chunks()]
    connection.register("calls", pa.table({"intended_at": pa.array(calls, pa.string())}))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE gone AS SELECT chunk FROM imports.chunks WHERE {_OF}"
        " AND intended_at NOT IN (SELECT intended_at::TIMESTAMPTZ FROM calls)"
    )
    connection.unregister("calls")
    rows = (
        "SELECT * EXCLUDE (is_before) REPLACE (CASE WHEN is_before THEN NULL ELSE code END AS code,"
        " CASE WHEN is_before THEN NULL ELSE reason END AS reason,"
        f" CASE WHEN is_before THEN '{Outcome.ACCEPTED}' ELSE outcome END AS outcome)"
        f" FROM (SELECT *, code IS NOT DISTINCT FROM '{SENT_BEFORE}' AS is_before FROM imports.records)"
        f" WHERE {_OF} AND attempt > 0 AND (is_before OR outcome IN {sql_list(IN_ACCOUNT)})"
        " AND (chunk IS NULL OR chunk IN (FROM gone))"
    )
    there = is_any(connection, f"({rows})")
    if there:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE forgotten AS {rows}")
    return there


def find_named(connection: duckdb.DuckDBPyConnection, settings: Settings, called: Collection[str]) -> bool:
    """Add archived sends that revenue in the account names to the forgotten ones; return whether there are any.

    This is for a warehouse that was lost together with the ledger. Revenue is sent only after its send is in the
    account, so these sends are in the account; without them the revenue would have no contact. Of several archived
    versions the first counts, because the account keeps what it was sent first.

    Args:
        connection: a connection to the new warehouse, with the records of revenue.
        settings: the place of the archive.
        called: the datasets of which the ledger has calls; if it has calls of sends, it was not lost.
    """
    files = archived(archive_folder(settings, "sends"))
    if "sends" in called or not files:
        return False
    facts = ", ".join(f"a.{field.name}" for field in FACTS)
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS forgotten AS FROM imports.records LIMIT 0;"
        "INSERT INTO forgotten BY NAME SELECT 'sends' AS dataset, identity, identity AS message_id,"
        f" '{Outcome.ACCEPTED}' AS outcome, 1 AS attempt, false AS in_input, false AS differs,"
        f" false AS differs_acknowledged, {facts} FROM {rows_of(files)} AS a"
        " WHERE identity IN (SELECT message_id FROM imports.records WHERE dataset = 'revenue' AND attempt > 0"
        f" AND outcome IN {sql_list(IN_ACCOUNT)})"
        " AND identity NOT IN (SELECT identity FROM forgotten WHERE dataset = 'sends')"
        " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY file, content) = 1"
    )
    return is_any(connection, "forgotten")


def restore_forgotten(connection: duckdb.DuckDBPyConnection, privacy: Privacy) -> None:
    """Add the rows of the table `forgotten` to the new records; a pending record of the same row gets a code.

    The record then has the facts that the row was sent with, because its file may have been corrected since.
    """
    facts = {field.name for field in FACTS}
    others = [name for name in RECORDS.columns if name not in facts]
    as_sent = published_facts("f", privacy)
    sent = ", ".join(f"{name} = f.{name}" for name in sorted(facts))
    rest = ", ".join(f'{_AS_FORGOTTEN.get(name, "f." + name)} AS "{name}"' for name in others)
    connection.execute(
        f"INSERT INTO imports.records BY NAME SELECT {rest}, {as_sent} FROM forgotten AS f"
        " WHERE NOT EXISTS (SELECT 1 FROM imports.records AS r"
        " WHERE r.dataset = f.dataset AND r.identity = f.identity)"
    )
    connection.execute(
        f"UPDATE imports.records AS r SET code = '{SENT_BEFORE}', reason = '{_WHY}', attempt = f.attempt,"
        f' "at" = f."at", {sent}'
        f" FROM (SELECT * REPLACE ({as_sent}) FROM forgotten AS f) AS f"
        f" WHERE r.outcome = '{Outcome.PENDING}' AND r.chunk IS NULL"
        " AND r.dataset = f.dataset AND r.identity = f.identity"
    )
    connection.execute("DROP TABLE forgotten")
