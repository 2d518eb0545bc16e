"""Schedules of jobs. All are off unless TRACKLY_SCHEDULES is on.

A schedule that was turned on or off in the UI stays so, whatever the setting is. A job that is still queued or under
way is not started again. What must not go in: the work of jobs (`jobs`), and starts by files (`sensors`).
"""

import dagster as dg

from assets.jobs import pull, sync
from assets.runs.under_way import under_way
from pipelines.settings import Settings


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Build the schedules, on or off."""
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
        if busy := under_way(context.instance, job):
            return dg.SkipReason(f"Run {busy} is not finished.")
        return dg.RunRequest()

    return tick
