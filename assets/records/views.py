"""Records analysts' views as materialized whenever a table that they read was published.

No step materializes a view, so Dagster would show each as never materialized, without figures. They are recorded with
the run that published the table: by the hooks here for a Dagster step, by `report` for a command. What must not go
in: which views there are (`graph.analysis`), and how events are stored (`events`).
"""

import time
from collections.abc import Collection

import dagster as dg

from assets.graph.analysis import view_name, views_of
from assets.graph.months import NAME as MONTHS
from assets.inspection.lookups import view_rows
from assets.records.events import in_run, report_months, report_together
from pipelines.errors import BusyError, TracklySyncError
from pipelines.settings import Settings
from pipelines.text.sanitize import plain
from schemas.registry import PUSHED
from schemas.webhook_events import WEBHOOK_EVENTS

_IMPORTED = [f"imported_{name}" for name in PUSHED]
_WHOLE_PUSH = "reconciliation"
_PUBLISHED: dict[str, list[str]] = {
    "warehouse": ["warehouse"],
    WEBHOOK_EVENTS.name: [WEBHOOK_EVENTS.name],
    **dict.fromkeys((*_IMPORTED, _WHOLE_PUSH, MONTHS), _IMPORTED),
}
"""By step, the assets whose tables it publishes; every import publishes the complete schema imports."""

_AFTER = {_IMPORTED[0]: {*_IMPORTED[1:], _WHOLE_PUSH}, **{name: {_WHOLE_PUSH} for name in _IMPORTED[1:]}}
"""By step, later steps that publish the same tables again."""


def record_views(
    instance: dg.DagsterInstance,
    settings: Settings,
    made: Collection[dg.AssetKey],
    run: str,
    job: str,
    at: float,
) -> None:
    """Record the views that read the assets that were made.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        made: assets that were materialized.
        run: the run's id; "" without a run.
        job: the name of its job.
        at: when the assets were made, seconds since 1970.
    """
    keys = {view_name(key): key for key in views_of(made)}
    if not keys:
        return
    rows = view_rows(settings, list(keys))
    events = [dg.AssetMaterialization(keys[name], metadata=_figures(number)) for name, number in rows.items()]
    report_together(instance, run, job, events, at)


def _figures(rows: int | None) -> dict[str, int | str]:
    return {"rows": "not counted: the warehouse is large"} if rows is None else {"dagster/row_count": rows}


@dg.success_hook(required_resource_keys={"trackly"})
def published(context: dg.HookContext) -> None:
    """Record views and months after a step has published tables; skip this if a later step publishes them again."""
    plan = context.instance.get_run_by_id(context.run_id)
    later = _AFTER.get(context.op.name, set())
    if context.op_output_values and plan and later.isdisjoint(plan.step_keys_to_execute or ()):
        _tell(context)


@dg.failure_hook(required_resource_keys={"trackly"})
def published_the_rest(context: dg.HookContext) -> None:
    """Record views after a failed import, which has published its progress, and after which no step runs.

    An import that was refused since another push is under way has published nothing
    (`graph.pushed.imports_published`).
    """
    error = context.op_exception
    kind = error.metadata.get("kind") if isinstance(error, dg.Failure) else None
    if kind is None or kind.value != BusyError.__name__:
        _tell(context)


def _tell(context: dg.HookContext) -> None:
    step, instance, run, job = context.op.name, context.instance, context.run_id, context.job_name
    try:
        settings = context.resources.trackly.settings()
        made = [dg.AssetKey(name) for name in _PUBLISHED[step]]
        record_views(instance, settings, made, run, job, time.time())
        if step in (*_IMPORTED, _WHOLE_PUSH):
            report_months(instance, settings, in_run(instance, run, job))
    except TracklySyncError as error:  # the step, or the next one, reports the error
        context.log.warning("Views and months are not on record as of this step: %s", plain(error.message))


def with_hooks(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Return an asset with the hooks if it publishes tables; other assets unchanged."""
    name = asset.key.to_user_string()
    hooks = {published} if name in _PUBLISHED else set()
    return asset.with_hooks(hooks | ({published_the_rest} if name in _IMPORTED else set()))
