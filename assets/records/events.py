"""Writes asset events of a command-line run into Dagster's storage, and the months that were sent.

What must not go in: runs (`run_records`), and the contents of events (`command_line`).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,  # not public; the lock files pin the version
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import StepMaterializationData  # the same
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage  # the same

from assets.records.command_line import months
from pipelines.settings import Settings

AssetEvent = dg.AssetMaterialization | AssetCheckEvaluation
Report = Callable[[AssetEvent], None]
"""Records an event."""


def in_run(
    instance: dg.DagsterInstance,
    run: str,
    job: str,
    *,
    step: Callable[[AssetEvent], str | None] = lambda _: None,
    at: float | None = None,
) -> Report:
    """Return a function that records events of a run.

    Args:
        instance: Dagster's records.
        run: the run's id.
        job: the name of its job.
        step: the key of the event's step; None if no step of the run makes the asset.
        at: when the events happened, seconds since 1970; by default now.
    """

    def report(event: AssetEvent) -> None:
        instance.report_dagster_event(_dagsters(event, job, step(event)), run_id=run, timestamp=at)

    return report


def report_together(
    instance: dg.DagsterInstance, run: str, job: str, events: Sequence[dg.AssetMaterialization], at: float
) -> None:
    """Record materializations of different assets, in one transaction if Dagster has a file for each run.

    Dagster itself uses two transactions for each event, and its batches are for one asset. Listeners in this process
    are not notified.

    Args:
        instance: Dagster's records.
        run: the run's id.
        job: the name of its job.
        events: one per asset.
        at: when they happened, seconds since 1970.
    """
    entries = [
        dg.EventLogEntry(  # type: ignore[no-untyped-call] # Dagster's
            error_info=None,
            level=logging.INFO,
            user_message="",
            run_id=run,
            timestamp=at,
            job_name=job,
            dagster_event=_dagsters(event, job, None),
        )
        for event in events
    ]
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        for entry in entries:
            storage.store_event(entry)
        return
    statements = [storage.prepare_insert_event(entry) for entry in entries]
    with storage.run_connection(run) as of_run:
        for statement in statements:
            of_run.execute(statement)
    with storage.index_transaction() as of_all:
        numbers = [of_all.execute(statement).lastrowid for statement in statements]
        for entry, number in zip(entries, numbers, strict=True):
            storage._store_asset_event(of_all, entry, number)  # noqa: SLF001 - as `store_event`, which is for one


def _dagsters(event: AssetEvent, job: str, step: str | None) -> dg.DagsterEvent:
    kind, data = _of(event)
    return dg.DagsterEvent(
        event_type_value=kind.value,
        job_name=job,
        event_specific_data=data,
        message=event.description or "",
        step_key=step,
    )


def _of(
    event: AssetEvent,
) -> tuple[dg.DagsterEventType, StepMaterializationData | AssetCheckEvaluation]:
    if isinstance(event, dg.AssetMaterialization):
        return dg.DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(event)
    return dg.DagsterEventType.ASSET_CHECK_EVALUATION, event


def report_months(instance: dg.DagsterInstance, settings: Settings, report: Report) -> None:
    """Report months whose figures differ from their last materialization.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        report: records an event.
    """
    events, checks = months(settings)
    changed = [event for event in events if not _is_known(instance, event)]
    for event in changed:
        report(event)
    for check in checks if changed else ():
        report(evaluation(instance, check))


def _is_known(instance: dg.DagsterInstance, event: dg.AssetMaterialization) -> bool:
    """Whether the last materialization of the month has the same figures."""
    wanted = dg.AssetRecordsFilter(event.asset_key, asset_partitions=[str(event.partition)])
    last = instance.fetch_materializations(wanted, limit=1).records
    return bool(last) and _figures(last[0].asset_materialization) == _figures(event)


def _figures(event: dg.AssetMaterialization | None) -> dict[str, Any]:
    found = event.metadata if event else {}
    return {name: value.value for name, value in found.items() if name.startswith(("month_", "differs"))}


def evaluation(instance: dg.DagsterInstance, result: dg.AssetCheckResult) -> AssetCheckEvaluation:
    """Return a check's result as an event about the asset's last materialization."""
    key = result.asset_key
    assert key is not None  # noqa: S101 - ours have one
    last = instance.fetch_materializations(key, limit=1).records
    target = (
        AssetCheckEvaluationTargetMaterializationData(
            storage_id=last[0].storage_id, run_id=last[0].run_id, timestamp=last[0].timestamp
        )
        if last
        else None
    )
    return AssetCheckEvaluation(
        key,
        str(result.check_name),
        result.passed,
        metadata=result.metadata,
        target_materialization_data=target,
        severity=result.severity,
        description=result.description,
    )
