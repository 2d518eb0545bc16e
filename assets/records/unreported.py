"""Finds runs of the command line that Dagster's records lack or have outdated; the server checks every few seconds.

What must not go in: writing them (`report`, `run_records`).
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import dagster as dg

from assets.runs.started_by import by_command_line
from pipelines.errors import StorageError
from pipelines.run_records.unreported import pending
from pipelines.runs.activity_state import unended
from pipelines.runs.recording import newest
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord

_LOOKED_AT = 200
"""Number of newest records that are searched for killed runs."""

_QUIET = timedelta(minutes=5)
"""A run has ended after this time without a sign of life; there is none between two activities either."""


def unreported(
    instance: dg.DagsterInstance, settings: Settings, at_least: timedelta = timedelta(0)
) -> list[list[RunRecord]]:
    """Return runs under way, killed, or ended without a notice, whose record is missing or outdated.

    Without Dagster's own.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        at_least: least duration of a run under way.
    """
    latest: list[RunRecord] = []
    with suppress(StorageError):  # records after a damaged one are not read
        latest.extend(islice(newest(settings.data_dir), _LOOKED_AT))
    found = {records[0].run: records for records in by_run([*latest[::-1], *unended(settings.data_dir)])}
    for notice in pending(settings.data_dir):  # another process is about to report it
        found.pop(notice.run, None)
    known = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=[*found]))} if found else {}
    now = datetime.now(UTC)
    return [records for run, records in found.items() if _is_due(records, known.get(run), now, at_least)]


def _is_due(
    records: Sequence[RunRecord], known: dg.DagsterRun | None, now: datetime, at_least: timedelta
) -> bool:
    """Whether a run has to be written.

    Args:
        records: its activities.
        known: the run in Dagster's records, if any.
        now: the current time.
        at_least: least duration of a run under way.
    """
    if known and (not by_command_line(known) or known.is_finished):
        return False
    killed = any(record.status == "killed" for record in records)
    if any(record.status == "running" for record in records):
        return known is None and now - datetime.fromisoformat(records[0].started_at) >= at_least
    return killed or (known is not None and now - _last_sign(records) >= _QUIET)


def _last_sign(records: Sequence[RunRecord]) -> datetime:
    return max(datetime.fromisoformat(record.finished_at or record.started_at) for record in records)


def by_run(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Group records by run, in the order in which runs began."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(record.run, []).append(record)
    return list(found.values())
