"""Records steps that failed in Dagster, so that `runs`, `status` and alerts agree with its pages.

The engine records most failures itself. Failures that it cannot see are found here after the steps of a run have
ended: a check that blocks, history that is missing, outcomes that could not be published, a run that was stopped
between two steps. What must not go in: failures of the engine (`pipelines.run_records.failures`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg
import msgspec

from pipelines.push.audit.alerts import watched_push
from pipelines.run_records.failures import of_run, put_on_record
from pipelines.runs.recording import last_of_each
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED, PUSHED
from schemas.webhook_events import WEBHOOK_EVENTS

_EVENTS = {
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_SKIPPED,
    dg.DagsterEventType.STEP_FAILURE,
}
_INTERRUPTS = ("KeyboardInterrupt", dg.DagsterExecutionInterruptedError.__name__)
ENDED_WITH_DAGSTER = "Dagster was stopped or ended while this ran; nothing is half-done."
"""The error of an activity that was interrupted, but not by a person."""
_CHECK_FAILED = "DagsterAssetCheckFailedError"
_MONTH = "dagster/partition"
_PUSHES = [f"push {name}" for name in PUSHED]
_ACTIVITIES: Mapping[str, Sequence[str]] = {
    **{name: [f"pull {name}"] for name in PULLED},
    **{f"history_{name}": [f"take in {name}"] for name in PUSHED},
    **{f"imported_{name}": [f"push {name}"] for name in PUSHED},
    "imported_months": [*_PUSHES, *(f"take in {name}" for name in PUSHED)],
    "warehouse": ["publish"],
    "reconciliation": ["reconcile"],
    "report": ["report"],
}
"""By step, the engine's activities in it; the first one stands for the step."""


def record_failed_steps(
    instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings, *, by_person: bool = False
) -> None:
    """Record failed or stopped steps of a run that have no record yet, and check the alerts.

    Args:
        instance: Dagster's records.
        run: the run, whose steps in this process have all ended.
        settings: name the folder of our records.
        by_person: whether only a person interrupts this process.

    Raises:
        StorageError: our records cannot be read.
    """
    steps, asked = _steps(instance, run.run_id), _is_asked_to_stop(instance, run)
    found = [*_not_well(steps, run, settings), *_recovered(steps, run, settings)]
    if asked:
        found = found or _stopped_between(steps, run, settings)
    elif not by_person:
        found = [*_ended_with_dagster(run, settings), *map(_as_ended_with_dagster, found)]
    if found:
        _write(settings, found)


def _is_asked_to_stop(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a person has stopped a run; Dagster marks other interrupted runs as failed."""
    now = instance.get_run_by_id(run.run_id)
    return now is not None and now.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


def _ended_with_dagster(run: dg.DagsterRun, settings: Settings) -> Iterator[RunRecord]:
    """Yield activities recorded as stopped, although no person asked for it and no other failure caused it."""
    records = of_run(settings.data_dir, run.run_id, own=True)
    if all(record.status != "failed" for record in records):
        yield from (_as_ended_with_dagster(record) for record in records if record.status == "stopped")


def _as_ended_with_dagster(record: RunRecord) -> RunRecord:
    if record.status != "stopped":
        return record
    return msgspec.structs.replace(record, status="failed", error=record.error or ENDED_WITH_DAGSTER)


@watched_push
def _write(settings: Settings, records: Sequence[RunRecord]) -> None:
    for record in records:
        put_on_record(settings.data_dir, record, record.error, record.status)


def _steps(instance: dg.DagsterInstance, run: str) -> dict[str, dg.EventLogEntry]:
    """Return the last event of each of our steps."""
    entries = instance.all_logs(run, of_type=_EVENTS)
    return {
        event.step_key: entry
        for entry in entries
        if (event := entry.dagster_event) and event.step_key and _is_ours(event.step_key)
    }


def _is_ours(step: str) -> bool:
    """Whether a step belongs to one of our assets or checks, since another team's may be in the same run."""
    return any(step == name or step.startswith(f"{name}_") for name in (*_ACTIVITIES, WEBHOOK_EVENTS.name))


def _activity(step: str) -> str:
    """Return the activity name of a step; checks and the publishing of events are no activities of the engine."""
    if step in _ACTIVITIES:
        return _ACTIVITIES[step][0]
    return f"publish {step}" if step == WEBHOOK_EVENTS.name else f"check {step.removesuffix('_checks')}"


def _not_well(
    steps: Mapping[str, dg.EventLogEntry], run: dg.DagsterRun, settings: Settings
) -> Iterator[RunRecord]:
    """Yield records for steps that failed or were stopped without a record."""
    bad = {record.activity for record in _not_succeeded(run, settings)}
    for step, entry in steps.items():
        event = entry.dagster_event
        if event is None or not event.is_step_failure:
            continue
        if not bad.isdisjoint(_ACTIVITIES.get(step, [_activity(step)])):
            continue
        error = _error(event)
        yield _record(run, step, "failed" if error else "stopped", entry.timestamp, error or None)


def _stopped_between(
    steps: Mapping[str, dg.EventLogEntry], run: dg.DagsterRun, settings: Settings
) -> list[RunRecord]:
    """Return a record for the next step of a run that a person stopped between two steps."""
    if _not_succeeded(run, settings):
        return []
    left = [step for step in run.step_keys_to_execute or () if step not in steps and _is_ours(step)]
    return [_record(run, step, "stopped", datetime.now(UTC).timestamp()) for step in left[:1]]


def _recovered(
    steps: Mapping[str, dg.EventLogEntry], run: dg.DagsterRun, settings: Settings
) -> Iterator[RunRecord]:
    """Yield records for steps that succeeded, are no activities of the engine, and had failed on record."""
    well = {
        step: entry
        for step, entry in steps.items()
        if step not in _ACTIVITIES and entry.dagster_event and entry.dagster_event.is_step_success
    }
    last = last_of_each(settings.data_dir) if well else {}
    for step, entry in well.items():
        before = last.get(_activity(step))
        if before is not None and before.status != "succeeded":
            yield _record(run, step, "succeeded", entry.timestamp)


def _not_succeeded(run: dg.DagsterRun, settings: Settings) -> list[RunRecord]:
    return [one for one in of_run(settings.data_dir, run.run_id) if one.status != "succeeded"]


def _record(
    run: dg.DagsterRun, step: str, status: str, timestamp: float, error: str | None = None
) -> RunRecord:
    at = datetime.fromtimestamp(timestamp, UTC).isoformat()
    month = run.tags.get(_MONTH) if step == "imported_months" else None
    return RunRecord(
        run=run.run_id,
        activity=_activity(step),
        started_at=at,
        finished_at=at,
        month=month,
        status=status,
        error=error,
    )


def _error(event: dg.DagsterEvent) -> str:
    """Return why a step failed; "" if it was stopped. The text of an unexpected error may quote any data."""
    data = event.step_failure_data
    if data.user_failure_data:  # made by `engine_calls.engine`
        return data.user_failure_data.description or "failed"
    error = data.error
    if error is None:
        return "failed"  # Dagster's type allows this case, which was never seen
    if error.cls_name == _CHECK_FAILED:
        return " ".join(error.message.split())
    first = error.cause or error
    return "" if first.cls_name in _INTERRUPTS else first.cls_name or "failed"
