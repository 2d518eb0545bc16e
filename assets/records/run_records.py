"""Writes a run of the command line as a Dagster run: under its job, on the timeline, with steps, events and times.

The run is written from our own records (`pipelines.runs`), after it has ended or during it, with the id that it has
in sync.runs. It is always written completely: an earlier version is removed first, so an interrupted report does no
harm. Dagster does not start such a run: it never waits in the queue, has no process that Dagster could monitor, and
is not retried. What must not go in: which runs are written, and when (`unreported`, `report`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import (  # not public; the lock files pin the version
    AssetMaterializationPlannedData,
    JobFailureData,
    RunFailureReason,
)
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.objects import StepFailureData, StepSuccessData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.snap import snapshot_from_execution_plan
from dagster_shared.error import SerializableErrorInfo

from assets.records.command_line import assets_of, job_of
from assets.records.events import AssetEvent, Report, in_run
from assets.runs.started_by import COMMAND_LINE, by_command_line
from assets.ui.location import LOCATION, REPOSITORY
from pipelines.text.sanitize import plain
from schemas.own_tables.sync import RunRecord

_MOST_TAG = 250
_NOT_RETRIED = {"dagster/max_retries": "0"}
_ENDED = {
    dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterRunStatus.CANCELED: dg.DagsterEventType.RUN_CANCELED,
}
_Key = dg.AssetKey | dg.AssetCheckKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The work of a run for one asset.

    Attributes:
        asset: the asset.
        activity: its last activity for the asset.
        began: seconds since 1970.
        ended: seconds since 1970; None while it is running.
        error: why it failed; None if it did not.
    """

    asset: str
    activity: str
    began: float
    ended: float | None
    error: str | None


def origin_of(job: str) -> RemoteJobOrigin:
    """Return the origin of a run's job; without it, no page of a job shows the run."""
    location = GrpcServerCodeLocationOrigin(host="localhost", location_name=LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job)


def tried(records: Sequence[RunRecord]) -> list[Tried]:
    """Return a run's work by asset, in the order in which it began."""
    by_asset: dict[str, list[RunRecord]] = {}
    for record in records:
        for asset in assets_of(record.activity):
            by_asset.setdefault(asset, []).append(record)
    return [_tried(asset, of_it) for asset, of_it in by_asset.items()]


def _tried(asset: str, records: Sequence[RunRecord]) -> Tried:
    bad = [record for record in records if record.status not in ("succeeded", "running")]
    ends = [_end(record) for record in records]
    return Tried(
        asset=asset,
        activity=records[-1].activity,
        began=min(_seconds(record.started_at) for record in records),
        ended=None if None in ends else max(end for end in ends if end is not None),
        error=plain(f"{bad[0].activity} {bad[0].status}. {bad[0].error or ''}").strip() if bad else None,
    )


def status_of(records: Sequence[RunRecord]) -> dg.DagsterRunStatus:
    """Return a run's status: a stop by a person is not a failure, a killed process is one."""
    found = {record.status for record in records}
    if "running" in found:
        return dg.DagsterRunStatus.STARTED
    if found == {"succeeded"}:
        return dg.DagsterRunStatus.SUCCESS
    stopped = all(r.status == "succeeded" or (r.status == "stopped" and not r.error) for r in records)
    return dg.DagsterRunStatus.CANCELED if stopped else dg.DagsterRunStatus.FAILURE


class RunWriter:
    """Writes one run; `opened`, then events of its assets by `report`, then `close`.

    Args:
        instance: Dagster's records.
        run: the Dagster run.
        records: the run's activities, oldest first.
        steps: the key of the step of each asset and check.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        records: Sequence[RunRecord],
        steps: Mapping[_Key, str],
    ) -> None:
        self._instance, self._run, self._steps = instance, run, steps
        self._records = records
        self.tried = tried(records)
        self.status = status_of(records)

    def begin(self) -> None:
        """Write the run, its planned assets, and the beginning of its steps."""
        done = ", ".join(dict.fromkeys(record.activity for record in self._records))
        self._report_event(
            dg.DagsterEventType.RUN_START, self._began(), message=f"By the command line: {done}."
        )
        for one in self.tried:
            key = dg.AssetKey(one.asset)
            planned = AssetMaterializationPlannedData(key)
            self._report_event(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, self._began(), key, planned)
            self._report_event(
                dg.DagsterEventType.STEP_START, one.began, key, message=f"{one.activity} begins."
            )

    def report(self, one: Tried | None = None) -> Report:
        """Return a function that records events of an asset; without one, events outside the run's steps."""
        at = (one.ended if one else None) or self.ended()
        return in_run(self._instance, self._run.run_id, self._run.job_name, step=self._step, at=at)

    def end_step(self, one: Tried) -> None:
        """Write the end of a step, if it has ended."""
        if one.ended is None:
            return
        key = dg.AssetKey(one.asset)
        if one.error is None:
            took = _success(one.ended - one.began)
            self._report_event(dg.DagsterEventType.STEP_SUCCESS, one.ended, key, took)
            return
        error = SerializableErrorInfo(message=one.error, stack=[], cls_name=None)
        failed = StepFailureData(error=error, user_failure_data=None)  # type: ignore[no-untyped-call] # Dagster's
        self._report_event(dg.DagsterEventType.STEP_FAILURE, one.ended, key, failed, one.error)

    def evaluate(self, evaluations: Sequence[AssetCheckEvaluation]) -> None:
        """Write the results of checks, each as a step if the job has one for it."""
        at = self.ended()
        own = {self._steps.get(dg.AssetKey(one.asset)) for one in self.tried}
        steps = [step for step in dict.fromkeys(map(self._step, evaluations)) if step not in own]
        for step in steps:
            self._report_event(dg.DagsterEventType.STEP_START, at, step=step)
        for one in evaluations:
            self.report()(one)
        for step in steps:
            self._report_event(dg.DagsterEventType.STEP_SUCCESS, at, data=_success(0.0), step=step)

    def close(self) -> None:
        """Write the end of the run, if it has ended."""
        kind = _ENDED.get(self.status)
        if kind is None:
            return
        errors = [one.error for one in self.tried if one.error]
        failed = self.status is dg.DagsterRunStatus.FAILURE
        data = JobFailureData(error=None, failure_reason=RunFailureReason.STEP_FAILURE) if failed else None
        self._report_event(kind, self.ended(), data=data, message=errors[0] if errors else "Done.")

    def ended(self) -> float:
        """When the last activity ended, seconds since 1970; for one under way, when it began."""
        return max(_end(record) or _seconds(record.started_at) for record in self._records)

    def _report_event(
        self,
        kind: dg.DagsterEventType,
        at: float,
        key: _Key | None = None,
        data: object = None,
        message: str = "",
        step: str | None = None,
    ) -> None:
        event = dg.DagsterEvent(
            event_type_value=kind.value,
            job_name=self._run.job_name,
            event_specific_data=data,  # type: ignore[arg-type] # one of the types that the kind demands
            message=message or None,
            step_key=step or (self._steps.get(key) if key else None),
        )
        self._instance.report_dagster_event(event, run_id=self._run.run_id, timestamp=at)

    def _step(self, event: AssetEvent) -> str | None:
        key = event.asset_check_key if isinstance(event, AssetCheckEvaluation) else event.asset_key
        return self._steps.get(key)

    def _began(self) -> float:
        return min(_seconds(record.started_at) for record in self._records)


def opened(
    instance: dg.DagsterInstance, defs: dg.Definitions, records: Sequence[RunRecord]
) -> RunWriter | None:
    """Begin to write a run, replacing an earlier version; None if it made no asset, or is Dagster's own.

    Args:
        instance: Dagster's records.
        defs: the definitions with the job.
        records: the run's activities, oldest first.
    """
    before = instance.get_run_by_id(records[0].run)
    keys = {dg.AssetKey(asset) for record in records for asset in assets_of(record.activity)}
    if not keys or (before and not by_command_line(before)):
        return None
    if before:
        instance.delete_run(before.run_id)
    run, steps = _run(instance, defs, records, keys)
    instance.run_storage.add_historical_run(run, datetime.fromisoformat(records[0].started_at))
    writer = RunWriter(instance, run, records, steps)
    writer.begin()
    return writer


def _run(
    instance: dg.DagsterInstance, defs: dg.Definitions, records: Sequence[RunRecord], keys: set[dg.AssetKey]
) -> tuple[dg.DagsterRun, dict[_Key, str]]:
    """Return the run with its job's plan for some assets, and the steps of that plan."""
    name = job_of(records)
    job = _job(defs, name, keys)
    plan = create_execution_plan(job)
    storage = instance.run_storage
    parent = job.get_parent_job_snapshot()
    if parent:
        storage.add_job_snapshot(parent)
    snapshot = storage.add_job_snapshot(job.get_job_snapshot())
    activities = ", ".join(dict.fromkeys(record.activity for record in records))
    run = dg.DagsterRun(
        job_name=name,
        run_id=records[0].run,
        run_config={},
        asset_selection=frozenset(keys),
        status=dg.DagsterRunStatus.STARTED,
        tags={
            COMMAND_LINE: activities[:_MOST_TAG],
            "trackly/run": records[0].run,
            "dagster/code_location": LOCATION,
            **_NOT_RETRIED,
        },
        job_snapshot_id=snapshot,
        execution_plan_snapshot_id=storage.add_execution_plan_snapshot(
            snapshot_from_execution_plan(plan, snapshot)
        ),
        remote_job_origin=origin_of(name),
    )
    return run, _steps_of(plan)


def _steps_of(plan: ExecutionPlan) -> dict[_Key, str]:
    """Return by asset or check the key of its step."""
    found: dict[_Key, str] = {}
    for step in plan.get_all_steps_in_topo_order():
        for output in step.step_outputs:
            keys = (output.properties.asset_key, output.properties.asset_check_key)
            found.update((key, step.key) for key in keys if key)
    return found


def _job(defs: dg.Definitions, name: str, keys: set[dg.AssetKey]) -> dg.JobDefinition:
    """Return the job of that name, or of all assets if that job does not make them; limited to some assets."""
    found = [job for job in defs.resolve_all_job_defs() if job.name == name]
    jobs = (*found, defs.resolve_implicit_global_asset_job_def())
    fitting = next(job for job in jobs if keys <= set(job.asset_layer.executable_asset_keys))
    return fitting.get_subset(asset_selection=keys)


def _success(took: float) -> StepSuccessData:
    return StepSuccessData(duration_ms=1_000 * took)  # type: ignore[no-untyped-call] # Dagster's


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _end(record: RunRecord) -> float | None:
    """Return when an activity ended, or a killed one was last alive; None while it is running.

    For a killed activity, earlier versions kept only its beginning.
    """
    if record.finished_at:
        return _seconds(record.finished_at)
    return None if record.status == "running" else _seconds(record.started_at)
