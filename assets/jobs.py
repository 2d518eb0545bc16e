"""Jobs: assets that run together. `schedules` says when.

Jobs name the in-process executor: a process per step costs seconds, and the engine uses the cores itself.
"""

import dagster as dg

from assets.graph.analysis import report
from assets.graph.months import GROUP as MONTHS_GROUP
from assets.graph.pulled import GROUP as PULL_GROUP
from assets.graph.pushed import GROUP as PUSH_GROUP
from assets.graph.webhook_events import GROUP as WEBHOOKS_GROUP
from schemas.registry import PUSHED

_HISTORY_MAY_BE_MISSING = {"ops": {f"history_{name}": {"config": {"required": False}} for name in PUSHED}}

pull = dg.define_asset_job(
    "pull",
    dg.AssetSelection.groups(PULL_GROUP, WEBHOOKS_GROUP),
    description="Snapshots of all datasets, published in one swap, and the webhook events that are new.",
    executor_def=dg.in_process_executor,
)


push = dg.define_asset_job(
    "push",
    dg.AssetSelection.groups(PUSH_GROUP),
    description="History files into the account: sends, then clicks and revenue, then reconciliation.",
    executor_def=dg.in_process_executor,
)
sync = dg.define_asset_job(
    "sync",
    dg.AssetSelection.groups(PULL_GROUP, WEBHOOKS_GROUP, PUSH_GROUP) | dg.AssetSelection.assets(report),
    config=_HISTORY_MAY_BE_MISSING,
    description="The pull, then the push if there is any history, then the report.",
    executor_def=dg.in_process_executor,
)

backfill = dg.define_asset_job(
    "backfill",
    dg.AssetSelection.groups(MONTHS_GROUP),
    description="History month by month: start it for a range of months and watch each of them come in. Rows without "
    "a time, or of other months, are left to the push.",
    executor_def=dg.in_process_executor,
)

JOBS = [pull, push, sync, backfill]
