"""The sensor that starts a push when history files arrive. Off unless TRACKLY_SCHEDULES is on.

What must not go in: times (`schedules`), the work of jobs (`jobs`), and when a file is complete
(`inspection.new_files`).
"""

import time

import dagster as dg

from assets.inspection.new_files import from_cursor, look, started, to_cursor, to_watch
from assets.jobs import push, sync
from assets.resources import Trackly
from assets.runs.under_way import under_way
from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.text.humanize import plural

_SECONDS_BETWEEN_LOOKS = 30
_MOST_NAMED = 3


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Build the sensor for new history, on or off."""
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
        return _decide(context, trackly.settings())

    return [new_history]


def _decide(context: dg.SensorEvaluationContext, settings: Settings) -> dg.SensorResult | dg.SkipReason:
    """Start a push of what is new and complete, unless one goes on; else say why not."""
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
        incomplete = f"{plural(len(arrivals.growing), 'file')} may not be complete yet: {names}"
        return dg.SensorResult(skip_reason=incomplete, cursor=cursor)
    if busy := under_way(context.instance, push.name, sync.name):
        return dg.SensorResult(skip_reason=f"Run {busy} is not finished.", cursor=cursor)
    tags = {"trackly/new_files": str(len(arrivals.new))}
    return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)], cursor=to_cursor(started(arrivals)))
