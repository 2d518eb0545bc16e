"""Which runs of the command line Dagster's records do not have as they stand; the server looks every few seconds.

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
"""How many of the newest records are looked through for runs that were killed."""

_QUIET = timedelta(minutes=5)
"""After so long without a sign a run has ended; between two activities there is none either."""


def unreported(
    instance: dg.DagsterInstance, settings: Settings, at_least: timedelta = timedelta(0)
) -> list[list[RunRecord]]:
    """Runs that go on, were killed, or ended without a notice, and are not on record so. Dagster's own are left out.

    Args:
        instance: Dagster's records.
        settings: where everything lies.
        at_least: how long a run must have gone on to be among them.
    """
    latest: list[RunRecord] = []
    with suppress(StorageError):  # beyond a damaged record nothing is looked at
        latest.extend(islice(newest(settings.data_dir), _LOOKED_AT))
    found = {records[0].run: records for records in by_run([*latest[::-1], *unended(settings.data_dir)])}
    for notice in pending(settings.data_dir):  # a process that reports it is on its way
        found.pop(notice.run, None)
    known = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=[*found]))} if found else {}
    now = datetime.now(UTC)
    return [records for run, records in found.items() if _is_due(records, known.get(run), now, at_least)]


def _is_due(
    records: Sequence[RunRecord], known: dg.DagsterRun | None, now: datetime, at_least: timedelta
) -> bool:
    """Whether a run is to be written.

    Args:
        records: what it did.
        known: the run as Dagster has it, if it does.
        now: the time.
        at_least: how long a run that goes on must have gone on.
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
    """Records by their run, in the order in which runs began."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(record.run, []).append(record)
    return list(found.values())
