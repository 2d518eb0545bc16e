"""Removes Dagster's records older than `TRACKLY_KEEP_RECORDS_DAYS`: runs, events, results of checks.

Some records are kept at any age: the last materialization of each asset and month, with its run, since the pages show
them; the last result of each check; and runs that have not ended, or are of a month. What must not go in: our own
records (`pipelines.run_records.pruning`).
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import (  # not public; the lock files pin the version
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from pipelines.run_records.pruning import oldest_kept
from pipelines.settings import Settings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PARTITION = "dagster/partition"
_WITHOUT_A_RUN = ""
_AT_ONCE = 5_000

_EVENTS, _TAGS, _CHECKS = SqlEventLogStorageTable.c, AssetEventTagsTable.c, AssetCheckExecutionsTable.c


def prune_dagster(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Remove old runs with their events and output, events without a run, and results of checks.

    Returns:
        The number of runs, and of events without a run.
    """
    before = oldest_kept(settings)
    if before is None:
        return 0
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0  # a custom storage, whose tables are unknown
    removed = _remove_runs(instance, storage, before)
    return removed + _remove_events(storage, before)


def _remove_runs(instance: dg.DagsterInstance, storage: SqlEventLogStorage, before: datetime) -> int:
    shown = _last_runs(storage)
    old = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, created_before=before), limit=_AT_ONCE, ascending=True
    )
    removable = [record.dagster_run for record in old if record.dagster_run.run_id not in shown]
    removed = [run.run_id for run in removable if _PARTITION not in run.tags]
    for run_id in removed:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
        # SQLite has a file for each run, which is now empty
        (Path(instance.root_directory) / "history" / "runs" / f"{run_id}.db").unlink(missing_ok=True)
    return len(removed)


def _last_runs(storage: SqlEventLogStorage) -> set[str]:
    """Return the runs that last materialized each asset and partition."""
    made = _EVENTS.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value
    last = sa.select(sa.func.max(_EVENTS.id)).where(made).group_by(_EVENTS.asset_key, _EVENTS.partition)
    with storage.index_connection() as connection:
        return set(connection.execute(sa.select(_EVENTS.run_id).where(_EVENTS.id.in_(last))).scalars())


def _remove_events(storage: SqlEventLogStorage, before: datetime) -> int:
    """Remove events without a run, and results of checks, if there are newer ones."""
    stamp = before.astimezone(UTC).replace(tzinfo=None)  # as Dagster stores it
    last = sa.select(sa.func.max(_EVENTS.id)).group_by(
        _EVENTS.asset_key, _EVENTS.partition, _EVENTS.dagster_event_type
    )
    old = (
        (_EVENTS.run_id == _WITHOUT_A_RUN)
        & (_EVENTS.timestamp < stamp)
        & _EVENTS.id.not_in(last.scalar_subquery())
    )
    last_of_check = sa.select(sa.func.max(_CHECKS.id)).group_by(
        _CHECKS.asset_key, _CHECKS.check_name, _CHECKS.partition
    )
    with storage.index_connection() as connection:
        connection.execute(
            sa.delete(AssetEventTagsTable).where(_TAGS.event_id.in_(sa.select(_EVENTS.id).where(old)))
        )
        removed = connection.execute(sa.delete(SqlEventLogStorageTable).where(old)).rowcount
        connection.execute(
            sa.delete(AssetCheckExecutionsTable).where(
                (_CHECKS.evaluation_event_timestamp < stamp) & _CHECKS.id.not_in(last_of_check)
            )
        )
    return removed
