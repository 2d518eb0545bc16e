"""History by month, for a backfill of years, whose progress Dagster's pages show.

A month is sent with the same ledger as a push, so no row is sent twice, in any order and however often. What must not
go in: how rows are judged, cut or sent.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import dagster as dg
from pydantic import Field

from assets.graph.external import HISTORY_FILES
from assets.graph.pulled import warehouse
from assets.graph.pushed import imports_published
from assets.inspection.metadata import of_month
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from assets.runs.pools import PUSH_POOL
from assets.runs.started_by import attended
from pipelines.push.intake.months import outcomes_by_month
from pipelines.push.left_out_limit import is_over_limit
from pipelines.push.outcomes import Outcome
from pipelines.push.run import intake, send
from pipelines.runs.recording import records_of
from pipelines.settings import Settings
from schemas.registry import PUSHED
from schemas.values.outcomes import LEFT_OUT

GROUP = "backfill"
NAME = "imported_months"
_OPEN = (Outcome.PENDING, Outcome.PARKED, Outcome.IN_DOUBT)
_PUSHES = tuple(f"push {name}" for name in PUSHED)
_DIFFERS = "differs from what was sent"
_TRIED = (Outcome.ACCEPTED, Outcome.REJECTED, Outcome.IN_DOUBT)


class MonthConfig(dg.Config):
    """How to treat files that cannot be read."""

    ignore_unread: bool = Field(
        default=False, description="Go on without files that are named like a dataset and cannot be read."
    )


@dataclass(slots=True)
class Month:
    """The outcomes of a month's rows.

    Attributes:
        counts: by dataset, rows by outcome.
        differs: number of rows that differ from what was sent.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    differs: int = 0

    @classmethod
    def of(cls, found: Mapping[str, tuple[dict[str, int], int]]) -> Self:
        """Build a month from the results of `outcomes_by_month` for each dataset."""
        return cls({name: by for name, (by, _) in found.items()}, sum(n for _, n in found.values()))

    def total(self) -> dict[str, int]:
        """Rows of all datasets by outcome, without outcomes that no row has."""
        sums = {str(o): sum(by.get(o, 0) for by in self.counts.values()) for o in Outcome}
        return {outcome: rows for outcome, rows in sums.items() if rows}

    def is_begun(self) -> bool:
        """Whether rows of the month were sent, or no row is left to send."""
        total = self.total()
        return any(total.get(outcome) for outcome in _TRIED) or not total.get(Outcome.PENDING)


def months_of(settings: Settings) -> dict[str, Month]:
    """Return every month of the current input, such as 2026-10, in order.

    Raises:
        StorageError: a stage or the warehouse cannot be read.
    """
    by_name = {name: outcomes_by_month(settings, name) for name in PUSHED}
    names = sorted({month for found in by_name.values() for month in found})
    return {key: Month.of({name: by.get(key, ({}, 0)) for name, by in by_name.items()}) for key in names}


def partitions_of(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Return partitions for every month from TRACKLY_HISTORY_START to the current one."""
    return dg.MonthlyPartitionsDefinition(
        start_date=f"{settings.history_start:%Y-%m}", timezone="UTC", fmt="%Y-%m", end_offset=1
    )


def build_months(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset with a partition for every month."""
    checks = {
        "complete": "Nothing of a month that was begun is pending, parked or in doubt. Clicks and revenue are parked "
        "until their send is in: where that is of a later month, run this month again, or the push.",
        "left_out": "Rows of each month that were left out, or differ from what was sent, stay within "
        "TRACKLY_PUSH_LEFT_OUT_SHARE.",
    }
    return dg.asset(
        name=NAME,
        partitions_def=partitions_of(settings),
        deps=[HISTORY_FILES, warehouse],
        group_name=GROUP,
        pool=PUSH_POOL,
        kinds={"api"},
        check_specs=[dg.AssetCheckSpec(name, asset=NAME, description=text) for name, text in checks.items()],
        description="Sends, then clicks, then revenue of one month, by the row's own timestamp (UTC). Sent once, "
        "through the ledger of the push; history files that have changed are taken in first.",
    )(_import_month)


def _import_month(
    context: dg.AssetExecutionContext, config: MonthConfig, trackly: Trackly
) -> Iterator[dg.MaterializeResult[None]]:
    started = time.monotonic()
    between = (context.partition_time_window.start, context.partition_time_window.end)
    run = context.run.run_id
    with engine(trackly) as settings:
        intake(
            settings,
            list(PUSHED),
            changed=True,
            ignore_unread=config.ignore_unread,
            attended=attended(context.run),
            run=run,
        )
        with imports_published(settings):
            send(settings, list(PUSHED), between=between, run=run)
        done = records_of(settings.data_dir, run, _PUSHES)
        found = months_of(settings)
    month = found.setdefault(context.partition_key, Month())
    yield dg.MaterializeResult(
        metadata=of_month(month.counts, between, done, time.monotonic() - started, month.differs),
        data_version=dg.DataVersion(run),
        check_results=month_checks(
            {key: one for key, one in found.items() if one is month or one.is_begun()}, settings
        ),
    )


def month_checks(months: Mapping[str, Month], settings: Settings) -> list[dg.AssetCheckResult]:
    """Return the results of the checks for months that were begun.

    Dagster shows only the last result of a check for all partitions. So each result names every month with a problem;
    otherwise a later month would hide it.
    """
    left_out = {key: left for key, one in months.items() if (left := _left_out(one, settings))}
    unsettled = {
        key: rows
        for key, one in months.items()
        if (rows := {outcome: n for outcome, n in one.total().items() if outcome in _OPEN})
    }
    return [_result("complete", unsettled), _result("left_out", left_out)]


def _left_out(month: Month, settings: Settings) -> dict[str, int]:
    """Return rows that were left out or differ, if they are more than the limit."""
    total = month.total()
    left = {outcome: rows for outcome, rows in total.items() if outcome in LEFT_OUT}
    rows, left_out = sum(total.values()), sum(left.values())
    over = is_over_limit(rows, left_out, month.differs, settings.push_left_out_share)
    if month.differs:
        left[_DIFFERS] = month.differs
    return left if over else {}


def _result(check: str, months: Mapping[str, Mapping[str, int]]) -> dg.AssetCheckResult:
    """Return a passed result without such months; otherwise a warning that names them and counts their rows."""
    named = {key: ", ".join(f"{what} ({n:,})" for what, n in rows.items()) for key, rows in months.items()}
    return dg.AssetCheckResult(
        asset_key=NAME,
        check_name=check,
        passed=not months,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{key}: {text}" for key, text in named.items()) or None,
        metadata={"months": len(months), "rows": sum(sum(rows.values()) for rows in months.values())},
    )
