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
from pipelines.settings import Settings
from schemas.registry import PUSHED

GROUP = "backfill"
_OPEN = (Outcome.PENDING, Outcome.PARKED, Outcome.IN_DOUBT)


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

    @dg.asset(
        partitions_def=months,
        deps=[warehouse],
        group_name=GROUP,
        kinds={"api"},
        check_specs=[complete],
        description="Sends, then clicks, then revenue of one month, by the row's own timestamp (UTC). Sent once, "
        "through the ledger of the push; history files that have changed are taken in first.",
    )
    def imported_months(
        context: dg.AssetExecutionContext, config: MonthConfig, trackly: Trackly
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.monotonic()
        start, end = context.partition_time_window
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
            with books_published(settings):
                send(settings, list(PUSHED), between=(start, end), run=run)
            counts = {name: outcomes_between(settings, name, (start, end)) for name in PUSHED}
        missing = {str(o): n for o in _OPEN if (n := sum(by.get(o, 0) for by in counts.values()))}
        yield dg.MaterializeResult(
            metadata=of_month(counts, (start, end), time.monotonic() - started),
            check_results=[
                dg.AssetCheckResult(
                    check_name="complete",
                    passed=not missing,
                    severity=dg.AssetCheckSeverity.WARN,
                    description="; ".join(f"{outcome} ({rows:,})" for outcome, rows in missing.items())
                    or None,
                    metadata=missing,
                )
            ],
        )

    return imported_months
