"""Webhook events: publishes received events into the warehouse, and checks that events arrive.

The receiver publishes every minute by itself; this asset shows on Dagster's pages how fresh its events are. Without a
receiver there is nothing to materialize. What must not go in: how events are received or read.
"""

import time
from collections.abc import Iterator

import dagster as dg

from assets.graph.external import ACCOUNT
from assets.graph.pulled import warehouse
from assets.inspection.lookups import event_rows
from assets.inspection.metadata import column_schema, of_events
from assets.inspection.previews import numbers
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from assets.runs.pools import WAREHOUSE_POOL
from pipelines.alerts.after_run import of_receiver
from pipelines.warehouse.webhook_events import publish_events
from pipelines.webhooks.queue.state import received
from schemas.webhook_events import WEBHOOK_EVENTS

GROUP = "webhooks"


@dg.asset(
    name=WEBHOOK_EVENTS.name,
    deps=[ACCOUNT, warehouse],
    group_name=GROUP,
    pool=WAREHOUSE_POOL,
    kinds={"duckdb"},
    output_required=False,
    description=f"{WEBHOOK_EVENTS.doc} Source: {WEBHOOK_EVENTS.page}.",
    metadata={"dagster/column_schema": column_schema(WEBHOOK_EVENTS, pulled=False)},
)
def webhook_events(
    context: dg.AssetExecutionContext, trackly: Trackly
) -> Iterator[dg.MaterializeResult[None]]:
    """Publish the new events of the queue."""
    started = time.monotonic()
    with engine(trackly) as settings:
        found = received(settings)
        if found is None:
            context.log.info("No receiver of events has run yet: trackly-sync webhooks serve")
            return
        new = publish_events(settings) or 0
        rows = event_rows(settings)
    yield dg.MaterializeResult(
        metadata=of_events(found, rows, time.monotonic() - started, new),
        data_version=dg.DataVersion(context.run.run_id),
    )


@dg.asset_check(
    asset=webhook_events,
    description="The receiver runs, and events come while contacts are sent to.",
)
def events_arrive(trackly: Trackly) -> dg.AssetCheckResult:
    """Check the alert conditions about events."""
    with engine(trackly) as settings:
        wrong = [condition for condition in of_receiver(settings) if condition.firing]
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{one.text}. {one.remedy}" for one in wrong) or None,
        metadata={
            f"{one.name} {what}": value for one in wrong for what, value in numbers(one.figures).items()
        },
    )


RECEIVED_ASSETS = [webhook_events]
