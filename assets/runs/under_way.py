"""Finds runs of a job that are queued or under way, so that no second one is started.

What must not go in: starting anything (`schedules`, `sensors`).
"""

import dagster as dg

_NOT_ENDED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def under_way(instance: dg.DagsterInstance, *jobs: str) -> str:
    """Return the id of a run of these jobs that is queued or under way; empty if there is none."""
    for job in jobs:
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=_NOT_ENDED), limit=1):
            return str(run.run_id)
    return ""
