"""Reconciliation: do the contacts' totals hold what the ledger says was accepted, contact by contact.

Revenue and conversions: the totals before our first row of a contact (the ledger keeps them) plus what was accepted
since, against the totals now. Clicks: their totals before are not on record, so they can only be shown to be too
few. More than expected is other activity, save where rows were sent again; less is money that is missing.
What does not belong here: the ledger against the API's answers (`books`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines import stopping
from pipelines.pull.scratch import scratch
from pipelines.pull.totals import Reading, read_totals, room_for_readings
from pipelines.push import contacts
from pipelines.push.books import Books, books
from pipelines.push.ledger.rows import ledger_rows
from pipelines.push.ledger.totals import sent_revenue
from pipelines.push.ledger.verbs import Ledger, existing_ledger
from pipelines.push.publish import publish_differences
from pipelines.push.stage import Progress
from pipelines.push.status import outcomes
from pipelines.runs import details, recorded, this_run
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient
from pipelines.warehouse.tables import insert
from pipelines.watched import watched
from schemas.imports import FINDINGS

_UNIT = Decimal(10_000)

_Columns = list[tuple[str, pa.DataType]]

_REVENUE: _Columns = [
    ("contact", pa.string()),
    ("ref", pa.string()),
    ("accepted", pa.bool_()),
    ("amount", pa.int64()),
    ("tries", pa.int64()),
    ("intended_at", pa.string()),
    ("amount_before", pa.int64()),
    ("count_before", pa.int64()),
    ("read_to", pa.string()),
]
_SENDS: _Columns = [("identity", pa.string()), ("contact", pa.string()), ("list_ref", pa.string())]
_CLICKED: _Columns = [("identity", pa.string()), ("outcome", pa.string())]

_COMPARE = """
CREATE MACRO money(amount) AS CAST(amount AS DECIMAL(18, 0)) * CAST(0.0001 AS DECIMAL(5, 4));
CREATE TEMP TABLE keyed AS
SELECT r.*, coalesce(k.list_key, r.ref) AS list_key FROM revenue AS r LEFT JOIN list_keys AS k ON k.ref = r.ref
WHERE contact IS NOT NULL;
CREATE TEMP TABLE first AS
SELECT contact, list_key, arg_min(coalesce(amount_before, 0), read_to) AS amount_before,
  arg_min(coalesce(count_before, 0), read_to) AS count_before, min(read_to) AS read_to
FROM keyed WHERE read_to IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE compared AS
SELECT * EXCLUDE (exactly) FROM (WITH ours AS (
  SELECT contact, list_key, any_value(f.amount_before) AS amount_before, any_value(f.count_before) AS count_before,
    sum(amount) FILTER (accepted) AS amount, count(*) FILTER (accepted) AS rows,
    sum(amount) FILTER (NOT accepted) AS amount_in_doubt, count(*) FILTER (NOT accepted) AS rows_in_doubt,
    max(tries) AS tries,
    -- an account that shows whole cents may be off by one for each row that has fractions of them
    CASE WHEN any_value(f.amount_before) % 100 = 0 THEN count(*) FILTER (accepted AND amount % 100 <> 0) ELSE 0 END
      AS fractions
  FROM keyed JOIN first AS f USING (contact, list_key) WHERE intended_at >= f.read_to GROUP BY ALL
), clicked AS (
  SELECT contact, coalesce(k.list_key, s.list_ref) AS list_key, count(*) AS clicks
  FROM clicked AS c JOIN sends AS s USING (identity) LEFT JOIN list_keys AS k ON k.ref = s.list_ref
  WHERE contact IS NOT NULL AND outcome = 'accepted' GROUP BY ALL
), measured AS (
  SELECT 'revenue' AS measure, contact, list_key, money(amount_before) AS before,
    money(coalesce(amount, 0)) AS accepted,
    money(coalesce(amount_in_doubt, 0)) AS in_doubt, tries, fractions FROM ours
  UNION ALL SELECT 'conversions', contact, list_key, count_before, rows, rows_in_doubt, tries, 0 FROM ours
  UNION ALL SELECT 'clicks', contact, list_key, 0, clicks, 0, 1, 0 FROM clicked
), beside AS (
  SELECT m.*, CASE measure WHEN 'revenue' THEN money(t.amount) WHEN 'clicks' THEN t.clicks ELSE t.count END AS found
  FROM measured AS m LEFT JOIN totals AS t ON t.contact = m.contact AND t.list_key = m.list_key
)
SELECT measure, contact AS phone_number, try_cast(list_key AS BIGINT) AS list_id,
  before::DECIMAL(18, 4) AS before, accepted::DECIMAL(18, 4) AS accepted, in_doubt::DECIMAL(18, 4) AS in_doubt,
  found::DECIMAL(18, 4) AS found,
  found::DECIMAL(18, 4) - before::DECIMAL(18, 4) - accepted::DECIMAL(18, 4) AS exactly,
  CASE WHEN found = round(found, 2) AND abs(exactly) <= fractions * 0.01 THEN 0 ELSE exactly END::DECIMAL(18, 4)
    AS difference,
  CASE WHEN found IS NULL THEN 'contact_gone' WHEN difference < 0 THEN 'missing'
    WHEN in_doubt > 0 THEN 'in_doubt' WHEN tries > 1 THEN 'perhaps_twice' ELSE 'more' END AS finding
FROM beside);
"""
"""Every contact with rows of ours; money in the account's currency."""

_NOTABLE = "difference IS NULL OR difference < 0 OR (difference > 0 AND measure <> 'clicks')"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of it.

    Attributes:
        books: by dataset, the ledger against the API's answers.
        contacts: how many contacts were compared.
        findings: by finding (see `schemas.imports`), how many contacts and measures; all of them are in
            imports.differences.
        missing: revenue that was accepted and is not in the contacts' totals, in the account's currency.
        complete: whether every contact of the account was seen.
    """

    books: dict[str, Books]
    contacts: int
    findings: dict[str, int]
    missing: Decimal
    complete: bool

    @property
    def agrees(self) -> bool:
        """Whether all that was accepted is there, as far as can be seen."""
        return all(book.agrees for book in self.books.values()) and not self.findings["missing"]


@watched(outcomes)
def reconcile(
    settings: Settings, on_progress: Progress | None = None, run: str | None = None
) -> Reconciliation:
    """Read the contacts and compare; the differences are published as imports.differences.

    Args:
        settings: the account, and where the ledger and the warehouse lie.
        on_progress: called after every reply.
        run: the run's id in sync.runs; by default a new one.

    Raises:
        AccessError, RequestError, ServiceError: the contacts cannot be read.
        StorageError: the ledger or the warehouse cannot be used.
        BusyError: another writer held the warehouse for too long.
    """
    settings.require_key()
    with room_for_readings(settings) as folder, existing_ledger(settings) as ledger:
        with recorded(settings.data_dir, run or this_run(), "reconcile") as record:
            reading = stopping.run(_read(settings, folder, on_progress))
            with scratch(folder) as connection:
                done, differences = _reconciled(connection, reading, ledger)
            record.rows = done.contacts
            record.details = details(findings=done.findings, missing=str(done.missing), agrees=done.agrees)
        publish_differences(settings, differences)
    return done


def _reconciled(
    connection: duckdb.DuckDBPyConnection, reading: Reading, ledger: Ledger | None
) -> tuple[Reconciliation, pa.Table]:
    compared = _compare(connection, reading, ledger)
    found = connection.execute(
        "SELECT finding, count(*), coalesce(sum(CASE WHEN measure = 'revenue' THEN -difference END), 0)"
        f" FROM compared WHERE {_NOTABLE} GROUP BY finding"
    ).fetchall()
    counts = {finding: count for finding, count, _ in found}
    amounts = {finding: amount for finding, _, amount in found}
    done = Reconciliation(
        books=books(ledger),
        contacts=compared,
        findings={finding: counts.get(finding, 0) for finding in FINDINGS},
        missing=amounts.get("missing", Decimal(0)),
        complete=reading.complete,
    )
    return done, _notable(connection, reading.finished_at)


async def _read(settings: Settings, folder: Path, on_progress: Progress | None) -> Reading:
    def on_read(rows: int, total: int | None) -> None:
        if on_progress:
            on_progress("contacts", rows, max(total or 0, rows))

    async with TracklyClient(settings) as client:
        return await read_totals(client, settings, folder, on_read)


def _compare(connection: duckdb.DuckDBPyConnection, reading: Reading, ledger: Ledger | None) -> int:
    """Make the table `compared`; returns how many contacts are in it."""
    contacts.load(connection, reading)
    for name, columns in (("revenue", _REVENUE), ("sends", _SENDS), ("clicked", _CLICKED)):
        connection.register("incoming", pa.schema(columns).empty_table())
        connection.execute(f"CREATE TEMP TABLE {name} AS FROM incoming")
        connection.unregister("incoming")
    if ledger:
        with ledger.begin() as transaction:
            _insert(connection, "revenue", _REVENUE, sent_revenue(transaction))
        for table, dataset, kept in (("sends", "sends", _SENDS), ("clicked", "clicks", _CLICKED)):
            for batch in ledger_rows(ledger, dataset, [name for name, _ in kept], every_part=True):
                insert(connection, table, batch)
    connection.execute(_COMPARE)
    ((contacts_compared,),) = connection.execute(
        "SELECT count(DISTINCT (phone_number, list_id)) FROM compared"
    ).fetchall()
    return int(contacts_compared)


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: _Columns,
    batches: Iterator[Sequence[Sequence[Any]]],
) -> None:
    for rows in batches:
        values = zip(*rows, strict=True)
        arrays = [pa.array(some, kind) for some, (_, kind) in zip(values, columns, strict=True)]
        insert(connection, table, pa.table(arrays, schema=pa.schema(columns)))


def _notable(connection: duckdb.DuckDBPyConnection, checked_at: str) -> pa.Table:
    found: pa.Table = connection.sql(
        f"SELECT *, CAST($at AS TIMESTAMPTZ) AS checked_at FROM compared WHERE {_NOTABLE}"
        " ORDER BY finding, abs(difference) DESC, phone_number, list_id, measure",
        params={"at": checked_at},
    ).to_arrow_table()
    return found
