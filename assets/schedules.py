"""When jobs run by themselves: schedules, and the sensor of new history. All off unless TRACKLY_SCHEDULES is on.

What is turned on or off in the UI stays so, whatever the setting says. A job that is still queued or under way is
not started again. What must not go in: what a job does (`jobs`), and when a file is complete
(`inspection.new_files`).
"""

import time

import dagster as dg

from assets.inspection.new_files import from_cursor, look, started, to_cursor, to_watch
from assets.jobs import pull, push, sync
from assets.resources import Trackly
from pipelines.errors import UsageError
from pipelines.settings import Settings

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_SECONDS_BETWEEN_LOOKS = 30
_MOST_NAMED = 3


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules, on or off."""
    status = dg.DefaultScheduleStatus.RUNNING if settings.schedules else dg.DefaultScheduleStatus.STOPPED
    return [
        _schedule("hourly_pull", pull.name, "0 * * * *", status, "The pull at the full hour."),
        _schedule(
            "daily_sync",
            sync.name,
            "30 3 * * *",
            status,
            "The pull, the push of all history that is not in yet, and the reconciliation; at 03:30 UTC.",
        ),
    ]


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor of new history, on or off."""
    status = dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        job_name=push.name,
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=status,
        description="Starts the push when history files have arrived and stood still for "
        "TRACKLY_HISTORY_QUIET_SECONDS. Each state of the files is pushed once; a push that failed is not repeated "
        "until a file changes, or by the next daily_sync. .sql files are taken with TRACKLY_SQL_SOURCES=on, and what "
        "they read counts as history.",
    )
    def new_history(context: dg.SensorEvaluationContext, trackly: Trackly) -> dg.SensorResult | dg.SkipReason:
        settings = trackly.settings()
        try:
            files = to_watch(settings)
        except UsageError as error:
            return dg.SkipReason(error.message)
        arrivals = look(files, from_cursor(context.cursor), time.time(), settings.history_quiet_seconds)
        cursor = to_cursor(arrivals.seen)
        if not arrivals.new:
            return dg.SensorResult(skip_reason="No history file is new.", cursor=cursor)
        if arrivals.growing:
            names = ", ".join(path.name for path in arrivals.growing[:_MOST_NAMED])
            return dg.SensorResult(
                skip_reason=f"{len(arrivals.growing)} files may not be complete yet: {names}", cursor=cursor
            )
        if busy := _unfinished(context.instance, push.name, sync.name):
            return dg.SensorResult(skip_reason=f"Run {busy} is not finished.", cursor=cursor)
        cursor = to_cursor(started(arrivals))
        tags = {"trackly/new_files": str(len(arrivals.new))}
        return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)], cursor=cursor)

    return [new_history]


def _schedule(
    name: str,
    job: str,
    cron: str,
    status: dg.DefaultScheduleStatus,
    description: str,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=status,
        description=f"{description} Left out while the one before is not finished.",
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if busy := _unfinished(context.instance, job):
            return dg.SkipReason(f"Run {busy} is not finished.")
        return dg.RunRequest()

    return tick


def _unfinished(instance: dg.DagsterInstance, *jobs: str) -> str:
    """The id of a run of these jobs that is queued or under way; empty if there is none."""
    for job in jobs:
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNFINISHED), limit=1):
            return str(run.run_id)
    return ""
