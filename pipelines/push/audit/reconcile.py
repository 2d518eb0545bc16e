"""Reconciliation: compares the contacts' totals with what the ledger has as accepted, contact by contact.

For revenue and conversions, the totals before our first row of a contact (the ledger has them) plus what was accepted
since must equal the present totals. For clicks the totals before are not recorded, so a comparison can only show that
there are too few. More than expected is other activity, with two exceptions: it matches rows that were sent again, or
most contacts of a call hold its rows once more, as if a gateway had repeated the call. Less than expected is money
that is missing. Revenue that a person has acknowledged as perhaps there twice, and that is still there, has its own
figures. Revenue that turned up after it was called absent raises an alarm, as in a push. What does not belong here:
the comparison itself (`reconcile_query`), and comparing the ledger with the API's answers (`balances`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.databases.duckdb_scratch import scratch
from pipelines.process import interrupts
from pipelines.pull.derived.contact_totals import ContactTotals, read_totals, totals_folder
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.balances import Balance, balances
from pipelines.push.audit.lost_ledger.detect import lost
from pipelines.push.audit.publish.differences import publish_differences
from pipelines.push.audit.reconcile_query import compare, found_twice
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.push.ledger.queries.revenue.repeated import note_found
from pipelines.push.revenue.turned_up_late import find_late
from pipelines.push.revenue.waiting import patience
from pipelines.push.stage.database import Progress
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs.recording import details, now, recorded, this_run
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient
from schemas.own_tables.imports import FINDINGS, PERHAPS_TWICE, STILL_TWICE

_NOTABLE = "difference IS NULL OR difference < 0 OR (difference > 0 AND measure <> 'clicks')"


class Verdict(StrEnum):
    """The result of a reconciliation in a word."""

    AGREES = "agrees"
    MISSING = "missing"
    PERHAPS_TWICE = "perhaps_twice"
    LEDGER_LOST = "ledger_lost"
    NOTHING_TO_COMPARE = "nothing_to_compare"


@dataclass(frozen=True, slots=True)
class StillTwice:
    """Revenue that a person has acknowledged as perhaps there twice, and that the contacts' totals still show.

    Attributes:
        contacts: contacts that hold exactly this revenue more than was accepted.
        amount: this revenue, in the account's currency.
        or_other: contacts that hold more than this revenue, so that the surplus may be other revenue alone.
    """

    contacts: int = 0
    amount: Decimal = Decimal(0)
    or_other: int = 0

    def __bool__(self) -> bool:
        return bool(self.contacts or self.or_other)

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> "StillTwice":
        """Return the figures of a recorded run; zero for a run of an earlier version, which has none."""
        return cls(figures.get("contacts", 0), Decimal(figures.get("amount", 0)), figures.get("or_other", 0))

    def figures(self) -> dict[str, int | str]:
        """Return the figures for programs."""
        return {"contacts": self.contacts, "amount": str(self.amount), "or_other": self.or_other}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of a reconciliation.

    Attributes:
        balances: by dataset, the ledger compared with the API's answers.
        contacts: how many contacts were compared.
        findings: number of contacts and measures by finding (see `schemas.own_tables.imports`); imports.differences
            has all of them.
        missing: revenue that was accepted and is not in the contacts' totals, in the account's currency.
        complete: whether every contact of the account was seen.
        alarms: open alarms about revenue that turned up after it was called absent.
        is_lost: whether calls were made that the ledger does not know, so that their rows were not compared.
        still_twice: revenue that a person has acknowledged as perhaps there twice, and that is still there. It is in
            none of `findings`, except that contacts which may have other revenue alone are in `more`.
        repeated_calls: calls whose rows most of their contacts hold once more: a gateway may have delivered them
            twice. Their contacts are in `perhaps_twice`. Without calls that a person has acknowledged.
    """

    balances: dict[str, Balance]
    contacts: int
    findings: dict[str, int]
    missing: Decimal
    complete: bool
    alarms: int = 0
    is_lost: bool = False
    still_twice: StillTwice = StillTwice()
    repeated_calls: int = 0

    @property
    def twice(self) -> bool:
        """Whether contacts hold more than was acknowledged, in a way that matches rows that were sent again."""
        return self.alarms > 0 or self.findings[PERHAPS_TWICE] > 0

    @property
    def agrees(self) -> bool:
        """Whether everything that was accepted is there, as far as can be seen."""
        return all(balance.agrees for balance in self.balances.values()) and not self.findings["missing"]

    @property
    def verdict(self) -> Verdict:
        """The result in a word; AGREES requires that something was compared."""
        if not self.agrees:
            return Verdict.MISSING
        if self.is_lost:
            return Verdict.LEDGER_LOST
        if self.twice:
            return Verdict.PERHAPS_TWICE
        is_empty = not self.contacts and not any(balance.has_rows for balance in self.balances.values())
        return Verdict.NOTHING_TO_COMPARE if is_empty else Verdict.AGREES


@watched_push
def reconcile(
    settings: Settings, on_progress: Progress | None = None, run: str | None = None
) -> Reconciliation:
    """Read the contacts, compare, and publish the differences as imports.differences.

    Args:
        settings: the account, and the place of ledger and warehouse.
        on_progress: called after every reply.
        run: the run's id in sync.runs; by default that of this process.

    Raises:
        AccessError, RequestError, ServiceError: the contacts cannot be read.
        StorageError: the ledger or the warehouse cannot be used.
        BusyError: another writer held the warehouse for too long.
    """
    settings.require_key()
    with (
        recorded(settings.data_dir, run or this_run(), "reconcile") as record,
        totals_folder(settings) as folder,
        existing_ledger(settings) as ledger,
    ):
        reading = interrupts.run(_read(settings, folder, on_progress))
        with scratch(folder) as connection:
            totals = TotalsInStage.load(connection, reading)
            if ledger:
                find_late(totals, ledger, reading, patience(settings, ledger).settle)
            done, differences = _reconciled(connection, reading, ledger)
            if ledger:
                _note_twice(connection, ledger)
        done = replace(done, is_lost=bool(lost(settings)))
        record.rows = done.contacts
        record.details = details(
            findings=done.findings,
            missing=str(done.missing),
            agrees=done.agrees,
            alarms=done.alarms,
            verdict=done.verdict,
            still_twice=done.still_twice.figures(),
            repeated_calls=done.repeated_calls,
        )
        publish_differences(settings, differences, record)
    return done


def _reconciled(
    connection: duckdb.DuckDBPyConnection, reading: ContactTotals, ledger: Ledger | None
) -> tuple[Reconciliation, pa.Table]:
    compared = compare(connection, ledger)
    found = connection.execute(
        "SELECT finding, count(*), coalesce(sum(CASE WHEN measure = 'revenue' THEN -difference END), 0)"
        f" FROM compared WHERE {_NOTABLE} GROUP BY finding"
    ).fetchall()
    counts = {finding: count for finding, count, _ in found}
    amounts = {finding: amount for finding, _, amount in found}
    ((repeated,),) = connection.execute("SELECT count(*) FROM repeated").fetchall()
    done = Reconciliation(
        balances=balances(ledger),
        contacts=compared,
        findings={finding: counts.get(finding, 0) for finding in FINDINGS},
        missing=amounts.get("missing", Decimal(0)),
        complete=reading.complete,
        alarms=_alarms(ledger),
        still_twice=_still_twice(connection),
        repeated_calls=repeated,
    )
    return done, _notable(connection, reading.finished_at)


def _note_twice(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Keep the finding in the ledger, for all machines that use it."""
    found, gone = found_twice(connection)
    with ledger.begin(REVENUE) as transaction:
        note_found(transaction, found, gone, now())


def _still_twice(connection: duckdb.DuckDBPyConnection) -> StillTwice:
    ((contacts, amount, or_other),) = connection.execute(
        "SELECT count(*) FILTER (measure = 'conversions' AND finding = $still),"
        " coalesce(sum(difference) FILTER (measure = 'revenue' AND finding = $still), 0),"
        " count(*) FILTER (measure = 'conversions' AND finding = 'more' AND has_room) FROM compared",
        {"still": STILL_TWICE},
    ).fetchall()
    return StillTwice(contacts, amount, or_other)


async def _read(settings: Settings, folder: Path, on_progress: Progress | None) -> ContactTotals:
    def on_read(rows: int, total: int | None) -> None:
        if on_progress:
            on_progress("contacts", rows, max(total or 0, rows))

    async with TracklyClient(settings) as client:
        return await read_totals(client, settings, folder, on_read)


def _alarms(ledger: Ledger | None) -> int:
    if ledger is None:
        return 0
    with ledger.begin() as transaction:
        return len(alarms(transaction))


def _notable(connection: duckdb.DuckDBPyConnection, checked_at: str) -> pa.Table:
    found: pa.Table = connection.sql(
        f"SELECT * EXCLUDE (has_room), CAST($at AS TIMESTAMPTZ) AS checked_at FROM compared WHERE {_NOTABLE}"
        " ORDER BY finding, abs(difference) DESC, phone_number, list_id, measure",
        params={"at": checked_at},
    ).to_arrow_table()
    return found
