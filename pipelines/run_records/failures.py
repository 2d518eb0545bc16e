"""Failures and stops that no activity of a run has on record.

A lock that is held, a ledger that cannot be opened, a warehouse that could not be rebuilt after a push. What does not
belong here: activities themselves (`runs.recorded`), and which steps failed in Dagster (`assets.runs.failed_steps`).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.errors import SettingsError, StorageError, TracklySyncError, UsageError
from pipelines.process.interrupts import interrupts_deferred, was_terminated
from pipelines.runs.record_files import (
    files_of,
    is_own,
    not_on_disk,
    read_record,
    write_record,
    write_refused,
)
from pipelines.runs.recording import TERMINATED, Skipped, asked_with, last_of_each, now
from pipelines.storage import claim
from schemas.own_tables.sync import RunRecord


@contextmanager
def failure_recorded(
    data_dir: Path, run: str, activities: Sequence[str], month: str | None = None
) -> Iterator[None]:
    """Put on record what ends a block, an error or a stop, where none of the block's activities has it on record.

    It is on record as the first activity that has not begun; where all have, as the first that was stopped for it, or
    as the last. What is wrong with the call itself (a setting, a file that was named) is no run, and is left out.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activities: those that the block is to do, in their order, such as `push sends`.
        month: the part of the input that a push is about, as 2026-10.
    """
    began = now()
    try:
        with interrupts_deferred():
            yield
    except (SettingsError, UsageError, Skipped):
        raise
    except Exception as error:
        with suppress(StorageError):  # there may be more room by now
            write_refused(data_dir, run)
        if activity := _without_record(data_dir, run, activities, began):
            failed = RunRecord(run=run, activity=activity, started_at=now(), month=month)
            failed.asked = asked_with(run, activity)
            put_on_record(data_dir, failed, reason_of(error))
        raise
    except KeyboardInterrupt:
        if activity := _without_record(data_dir, run, activities, began, ("failed", "stopped")):
            stopped = RunRecord(run=run, activity=activity, started_at=now(), month=month)
            stopped.asked = asked_with(run, activity)
            put_on_record(data_dir, stopped, TERMINATED if was_terminated() else None, "stopped")
        raise


def _without_record(
    data_dir: Path, run: str, activities: Sequence[str], began: str, known: Collection[str] = ("failed",)
) -> str:
    """As which activity the end of a block is to be put on record; "" where it is on record.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activities: those of the block.
        began: when it began.
        known: how an activity ended that has it on record.
    """
    of_block = [one for one in of_run(data_dir, run, own=True) if one.started_at >= began]
    statuses = {record.activity: record.status for record in of_block}
    if not set(known).isdisjoint(statuses.values()):
        return ""
    not_begun = [one for one in activities if one not in statuses]
    stopped = [one for one in activities if statuses.get(one) != "succeeded"]
    return next(iter(not_begun or stopped), activities[-1])


def note_recovery(data_dir: Path, run: str, activity: str) -> None:
    """Put on record that something went well which is on record only where it fails, after it did.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activity: what it is on record as.

    Raises:
        StorageError: a record cannot be read, or this one cannot be written.
    """
    before = last_of_each(data_dir).get(activity)
    if before is not None and before.status != "succeeded":
        put_on_record(data_dir, RunRecord(run=run, activity=activity, started_at=now()), None, "succeeded")


def put_on_record(data_dir: Path, record: RunRecord, error: str | None, status: str = "failed") -> None:
    """Write the record of something that has just ended; where the disk refuses it, this process knows it.

    Args:
        data_dir: the data directory.
        record: of it, without how it ended.
        error: why, without secrets and personal data.
        status: how it ended.
    """
    record.finished_at = record.finished_at or now()
    record.status, record.error = status, error
    claim(data_dir)
    write_record(data_dir, record)


def of_run(data_dir: Path, run: str, *, own: bool = False) -> list[RunRecord]:
    """What is on record of a run, oldest first; a record that cannot be read is left out.

    Args:
        data_dir: the data directory.
        run: the run's id.
        own: only what this process has written.
    """
    found = [record for record in not_on_disk(data_dir) if record.run == run]
    with suppress(StorageError):
        for name in files_of(data_dir, run):
            if not own or is_own(name):
                with suppress(StorageError):
                    found.append(read_record(data_dir, name))
    return sorted(found, key=lambda record: record.started_at)


def reason_of(error: Exception) -> str:
    """An error as records hold it: the text of others than our own may quote anything."""
    return str(error) if isinstance(error, TracklySyncError) else type(error).__name__
