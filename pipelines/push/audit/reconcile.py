"""Reconciliation: do the contacts' totals hold what the ledger says was accepted, contact by contact.

Revenue and conversions: the totals before our first row of a contact (the ledger keeps them) plus what was accepted
since, against the totals now. Clicks: their totals before are not on record, so they can only be shown to be too few.
More than expected is other activity, except where it matches rows that were sent again, or where most contacts of a
call hold once more what it brought, as where a gateway has repeated it; less is money that is
missing. What a person has acknowledged as perhaps twice and is still there has figures of its own. What turned up
after it was called absent is an alarm, as in a push. What does not belong here: how it is compared
(`reconcile_query`), and the ledger against the API's answers (`acknowledged`).
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
from pipelines.push.audit.acknowledged import Balance, balances
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.lost_ledger.detect import lost
from pipelines.push.audit.publish.differences import publish_differences
from pipelines.push.audit.reconcile_query import compare
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms
from pipelines.push.revenue.turned_up_late import find_late
from pipelines.push.revenue.waiting import patience
from pipelines.push.stage.database import Progress
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs.recording import details, recorded, this_run
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient
from schemas.own_tables.imports import FINDINGS, STILL_TWICE

_NOTABLE = "difference IS NULL OR difference < 0 OR (difference > 0 AND measure <> 'clicks')"


class Verdict(StrEnum):
    """What a reconciliation comes to."""

    AGREES = "agrees"
    MISSING = "missing"
    PERHAPS_TWICE = "perhaps_twice"
    LEDGER_LOST = "ledger_lost"
    NOTHING_TO_COMPARE = "nothing_to_compare"


@dataclass(frozen=True, slots=True)
class StillTwice:
    """What a person has acknowledged as perhaps there twice, and the contacts' totals show.

    Attributes:
        contacts: contacts that hold more than was accepted by exactly that.
        amount: what they hold more, in the account's currency.
        or_other: contacts that hold more than that, so that it may be other revenue alone.
    """

    contacts: int = 0
    amount: Decimal = Decimal(0)
    or_other: int = 0

    def __bool__(self) -> bool:
        return bool(self.contacts or self.or_other)

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> "StillTwice":
        """From `figures` of a run on record; one of an earlier version has none."""
        return cls(figures.get("contacts", 0), Decimal(figures.get("amount", 0)), figures.get("or_other", 0))

    def figures(self) -> dict[str, int | str]:
        """For programs."""
        return {"contacts": self.contacts, "amount": str(self.amount), "or_other": self.or_other}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of it.

    Attributes:
        balances: by dataset, the ledger against the API's answers.
        contacts: how many contacts were compared.
        findings: by finding (see `schemas.own_tables.imports`), how many contacts and measures; all of them are in
            imports.differences.
        missing: revenue that was accepted and is not in the contacts' totals, in the account's currency.
        complete: whether every contact of the account was seen.
        alarms: how often revenue turned up after it was called absent, as long as nobody has acknowledged it.
        is_lost: whether calls were made that the ledger does not know, so that what they brought was not compared.
        still_twice: what somebody has acknowledged as perhaps there twice, and is still there; none of `findings`,
            but for those of its contacts that may have other revenue alone: they are among `more`.
        repeated_calls: calls of which most contacts hold once more what they brought: a gateway may have delivered
            them twice. Their contacts are among `perhaps_twice`.
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
        """Whether contacts hold more than was acknowledged, in a way that matches rows that went out again."""
        return self.alarms > 0 or self.findings["perhaps_twice"] > 0

    @property
    def agrees(self) -> bool:
        """Whether all that was accepted is there, as far as can be seen."""
        return all(balance.agrees for balance in self.balances.values()) and not self.findings["missing"]

    @property
    def verdict(self) -> Verdict:
        """What it comes to in a word; that nothing was compared is no agreement."""
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
