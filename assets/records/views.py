"""Analysts' views on record as materialized, whenever a table that they read was published.

Nothing materializes a view, so Dagster would say of each that it never was, and have no figures of it. They are on
record with the run that published the table: of a step of Dagster's by the hooks here, of a command by `report`. What
must not go in: which views there are (`graph.analysis`), and how events are stored (`events`).
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
"""By step, the assets whose tables it publishes: every import publishes schema imports as a whole."""

_AFTER = {_IMPORTED[0]: {*_IMPORTED[1:], _WHOLE_PUSH}, **{name: {_WHOLE_PUSH} for name in _IMPORTED[1:]}}
"""By step, those that come after it and publish the same again."""


def record_views(
    instance: dg.DagsterInstance,
    settings: Settings,
    made: Collection[dg.AssetKey],
    run: str,
    job: str,
    at: float,
) -> None:
    """Have the views on record that read what was made.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        made: assets that were materialized.
        run: the run's id; "" where it was none.
        job: the name of its job.
        at: when it was made, seconds since 1970.
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
    """What a step has published shows in the views and months; once, where later steps publish the same again."""
    plan = context.instance.get_run_by_id(context.run_id)
    later = _AFTER.get(context.op.name, set())
    if context.op_output_values and plan and later.isdisjoint(plan.step_keys_to_execute or ()):
        _tell(context)


@dg.failure_hook(required_resource_keys={"trackly"})
def published_the_rest(context: dg.HookContext) -> None:
    """An import that fails has published how far it came, and what comes after it is not run.

    One that is refused since another push is under way has published nothing (`graph.pushed.imports_published`).
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
    except TracklySyncError as error:  # the step itself says what is wrong, or the next one will
        context.log.warning("Views and months are not on record as of this step: %s", plain(error.message))


def with_hooks(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """An asset so that what it publishes is on record beside it; others as they are."""
    name = asset.key.to_user_string()
    hooks = {published} if name in _PUBLISHED else set()
    return asset.with_hooks(hooks | ({published_the_rest} if name in _IMPORTED else set()))
