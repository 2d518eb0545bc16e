"""History month by month, for a backfill of years: its progress is on Dagster's own page, month by month.

A month is sent through the same ledger as the push, so that no row goes twice, whichever came first and however
often. What must not go in: how rows are judged, cut or sent.
"""

import time
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from assets.books import outcomes_between
from assets.failures import engine
from assets.metadata import of_month
from assets.pulled import warehouse
from assets.pushed import books_published
from assets.resources import Trackly
from assets.started import attended
from pipelines.push.outcomes import Outcome
from pipelines.push.run import intake, send
from pipelines.runs import records_of
from pipelines.settings import Settings
from schemas.outcomes import LEFT_OUT
from schemas.registry import PUSHED

GROUP = "backfill"
_OPEN = (Outcome.PENDING, Outcome.PARKED, Outcome.IN_DOUBT)
_PUSHES = tuple(f"push {name}" for name in PUSHED)
_DIFFERS = "differs from what was sent"


class MonthConfig(dg.Config):
    """What to make of files that cannot be read."""

    ignore_unread: bool = Field(
        default=False, description="Go on without files that are named like a dataset and cannot be read."
    )


def build_months(settings: Settings) -> dg.AssetsDefinition:
    """The asset with a partition for every month from TRACKLY_HISTORY_START up to the current one."""
    months = dg.MonthlyPartitionsDefinition(
        start_date=f"{settings.history_start:%Y-%m}",
        timezone="UTC",
        fmt="%Y-%m",
        end_offset=1,
    )
    complete = dg.AssetCheckSpec(
        "complete",
        asset="imported_months",
        description="Nothing of the month is pending, parked or in doubt. Clicks and revenue are parked until their "
        "send is in: where that is of a later month, run this month again, or the push.",
    )

    left_out = dg.AssetCheckSpec(
        "left_out",
        asset="imported_months",
        description="Rows of the month that were left out, or differ from what was sent, stay within "
        "TRACKLY_PUSH_LEFT_OUT_SHARE.",
    )

    @dg.asset(
        partitions_def=months,
        deps=[warehouse],
        group_name=GROUP,
        kinds={"api"},
        check_specs=[complete, left_out],
        description="Sends, then clicks, then revenue of one month, by the row's own timestamp (UTC). Sent once, "
        "through the ledger of the push; history files that have changed are taken in first.",
    )
    def imported_months(
        context: dg.AssetExecutionContext, config: MonthConfig, trackly: Trackly
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        start, end = context.partition_time_window
        with engine(trackly) as settings:
            intake(
                settings,
                list(PUSHED),
                changed=True,
                ignore_unread=config.ignore_unread,
                attended=attended(context.run),
                run=context.run.run_id,
            )
            with books_published(settings):
                send(settings, list(PUSHED), between=(start, end), run=context.run.run_id)
            done = records_of(settings.data_dir, context.run.run_id, _PUSHES)
            found = {name: outcomes_between(settings, name, (start, end)) for name in PUSHED}
        counts, differs = {name: by for name, (by, _) in found.items()}, sum(n for _, n in found.values())
        total = {str(o): n for o in Outcome if (n := sum(by.get(o, 0) for by in counts.values()))}
        missing = {o: n for o, n in total.items() if o in _OPEN}
        left = {o: n for o, n in total.items() if o in LEFT_OUT} | ({_DIFFERS: differs} if differs else {})
        within = sum(left.values()) <= settings.push_left_out_share * sum(total.values())
        yield dg.MaterializeResult(
            metadata=of_month(counts, (start, end), done, time.monotonic() - started, differs),
            check_results=[_result("complete", missing), _result("left_out", {} if within else left)],
        )

    return imported_months


def _result(check: str, rows: dict[str, int]) -> dg.AssetCheckResult:
    """Passed where there are no such rows; else a warning that counts them."""
    return dg.AssetCheckResult(
        check_name=check,
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{what} ({number:,})" for what, number in rows.items()) or None,
        metadata=rows,
    )
