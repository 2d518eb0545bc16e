"""Records failures and stops that no activity of a run has recorded.

Examples are a lock that is held, a ledger that cannot be opened, and a warehouse that could not be rebuilt after a
push. What does not belong here: activities themselves (`runs.recording`), and which steps failed in Dagster
(`assets.runs.failed_steps`).
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
    """Record the error or stop that ends a block, if none of the block's activities has recorded it.

    It is recorded under the first activity that has not begun; if all have, under the first that was stopped because
    of it, or the last. Mistakes in the call itself (a setting, a file that was named) are not recorded.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activities: the block's planned activities in order, such as `push sends`.
        month: the part of the input that a push is about, as 2026-10.
    """
    began = now()
    try:
        with interrupts_deferred():
            yield
    except (SettingsError, UsageError, Skipped):
        raise
    except Exception as error:
        with suppress(StorageError):  # there may be free space now
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
    """Return the activity under which to record the end of a block; "" if it is recorded already.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activities: those of the block.
        began: when it began.
        known: the status of an activity that has recorded the end.
    """
    of_block = [one for one in of_run(data_dir, run, own=True) if one.started_at >= began]
    statuses = {record.activity: record.status for record in of_block}
    if not set(known).isdisjoint(statuses.values()):
        return ""
    not_begun = [one for one in activities if one not in statuses]
    stopped = [one for one in activities if statuses.get(one) != "succeeded"]
    return next(iter(not_begun or stopped), activities[-1])


def note_recovery(data_dir: Path, run: str, activity: str) -> None:
    """Record a success after a failure, for work that is otherwise recorded only if it fails.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activity: the name in the record.

    Raises:
        StorageError: a record cannot be read, or this one cannot be written.
    """
    before = last_of_each(data_dir).get(activity)
    if before is not None and before.status != "succeeded":
        put_on_record(data_dir, RunRecord(run=run, activity=activity, started_at=now()), None, "succeeded")


def put_on_record(data_dir: Path, record: RunRecord, error: str | None, status: str = "failed") -> None:
    """Write the record of work that has just ended; if the disk refuses it, keep it in this process.

    Args:
        data_dir: the data directory.
        record: the record without its end.
        error: the reason, without secrets and personal data.
        status: how it ended.
    """
    record.finished_at = record.finished_at or now()
    record.status, record.error = status, error
    claim(data_dir)
    write_record(data_dir, record)


def of_run(data_dir: Path, run: str, *, own: bool = False) -> list[RunRecord]:
    """Return the records of a run, oldest first, without records that cannot be read.

    Args:
        data_dir: the data directory.
        run: the run's id.
        own: only records of this process.
    """
    found = [record for record in not_on_disk(data_dir) if record.run == run]
    with suppress(StorageError):
        for name in files_of(data_dir, run):
            if not own or is_own(name):
                with suppress(StorageError):
                    found.append(read_record(data_dir, name))
    return sorted(found, key=lambda record: record.started_at)


def reason_of(error: Exception) -> str:
    """Return an error's text for records; only the class of foreign errors, whose text may quote any data."""
    return str(error) if isinstance(error, TracklySyncError) else type(error).__name__
