"""Jobs: what runs together. When is in `schedules`.

Jobs name the in-process executor: a process per step costs seconds each, and the engine uses the cores itself.
"""

import dagster as dg

from assets.graph.analysis import report
from assets.graph.months import GROUP as MONTHS_GROUP
from assets.graph.pulled import GROUP as PULL_GROUP
from assets.graph.pushed import GROUP as PUSH_GROUP
from assets.graph.pushed import reconciliation
from assets.graph.webhook_events import GROUP as WEBHOOKS_GROUP
from assets.records.events import in_run, report_months
from schemas.registry import PUSHED

_HISTORY_MAY_BE_MISSING = {"ops": {f"history_{name}": {"config": {"required": False}} for name in PUSHED}}

pull = dg.define_asset_job(
    "pull",
    dg.AssetSelection.groups(PULL_GROUP, WEBHOOKS_GROUP),
    description="Snapshots of all datasets, published in one swap, and the webhook events that are new.",
    executor_def=dg.in_process_executor,
)


@dg.success_hook(required_resource_keys={"trackly"})
def months_are_told(context: dg.HookContext) -> None:
    """Months of which a push has sent rows are shown on the page of the months."""
    if context.op.name == reconciliation.op.name:
        report = in_run(context.instance, context.run_id, context.job_name)
        report_months(context.instance, context.resources.trackly.settings(), report)


push = dg.define_asset_job(
    "push",
    dg.AssetSelection.groups(PUSH_GROUP),
    description="History files into the account: sends, then clicks and revenue, then reconciliation.",
    executor_def=dg.in_process_executor,
    hooks={months_are_told},
)
sync = dg.define_asset_job(
    "sync",
    dg.AssetSelection.groups(PULL_GROUP, WEBHOOKS_GROUP, PUSH_GROUP) | dg.AssetSelection.assets(report),
    config=_HISTORY_MAY_BE_MISSING,
    description="The pull, then the push if there is any history, then the report.",
    executor_def=dg.in_process_executor,
    hooks={months_are_told},
)

backfill = dg.define_asset_job(
    "backfill",
    dg.AssetSelection.groups(MONTHS_GROUP),
    description="History month by month: start it for a range of months and watch each of them come in. Rows without "
    "a time, or of other months, are left to the push.",
    executor_def=dg.in_process_executor,
)

JOBS = [pull, push, sync, backfill]
