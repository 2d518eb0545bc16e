"""Dagster's records of runs that are older than they are kept (`TRACKLY_KEEP_RECORDS_DAYS`).

What stays whatever its age: runs that hold the last materialization of an asset or of a month, since the pages go by
them; runs that have not ended; and what was reported without a run. What must not go in: our own
records (`pipelines.run_records.pruning`).
"""

from pathlib import Path

import dagster as dg

from pipelines.run_records.pruning import oldest_kept
from pipelines.settings import Settings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PARTITION = "dagster/partition"
_AT_ONCE = 5_000


def prune_dagster(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Remove old runs with their events and output; returns how many."""
    before = oldest_kept(settings)
    if before is None:
        return 0
    shown = _last_runs(instance)
    old = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_AT_ONCE, ascending=True
    )
    removable = [record.dagster_run for record in old if record.dagster_run.run_id not in shown]
    removed = [run.run_id for run in removable if _PARTITION not in run.tags]
    for run_id in removed:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        # SQLite has a file for each run, which is empty by now
        (Path(instance.root_directory) / "history" / "runs" / f"{run_id}.db").unlink(missing_ok=True)
    return len(removed)


def _last_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that assets were materialized in last."""
    entries = [record.asset_entry for record in instance.get_asset_records()]
    return {
        entry.last_materialization_record.run_id for entry in entries if entry.last_materialization_record
    }
