"""Records activities from beginning to end, also if they fail; and reads records.

Each record is a small JSON file in `runs/` of the data directory, so that a run without a publish has a record too.
Publishing copies the records to sync.runs. What does not belong here: marks of activities under way
(`activity_state`), and whether a complete run is under way (`run_state`).
"""

import getpass
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from pipelines.errors import TracklySyncError
from pipelines.logs import logged_to_file, run_id
from pipelines.process.interrupts import interrupts_deferred, was_terminated
from pipelines.runs.activity_state import marked
from pipelines.runs.record_files import (
    file_part,
    not_on_disk,
    read_record,
    record_files,
    write_record,
)
from pipelines.runs.run_state import asked_of, show_begun
from pipelines.storage import claim
from pipelines.text.humanize import plural
from schemas.own_tables.sync import RunRecord

_log = logging.getLogger(__name__)
TERMINATED = "Stopped by SIGTERM; nothing is half-done."
"""The error of an activity that no person has stopped, but a service manager, a container's end, or a shutdown."""


class Skipped(Exception):  # noqa: N818 - no error: it ends an activity that there was no need for
    """Raised in an activity that is skipped without a fault; it is recorded as succeeded.

    Args:
        reason: why, one line, without secrets or personal data.
        warning: a remark for people; the record's error.
    """

    def __init__(self, reason: str, warning: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.warning = warning


_asked: ContextVar[str | None] = ContextVar("asked", default=None)


@contextmanager
def part_of(what: str) -> Iterator[None]:
    """Mark activities in a block as parts of a larger command, such as `pull all`; the outermost block counts."""
    outer = _asked.set(_asked.get() or what)
    try:
        yield
    finally:
        _asked.reset(outer)


def new_run_id() -> str:
    """Return an id for a run without an id from an orchestrator."""
    return str(uuid4())


def this_run() -> str:
    """Return the id of the current run, or a new id outside of a run."""
    return run_id.get() or new_run_id()


@contextmanager
def recorded(data_dir: Path, run: str, activity: str, month: str | None = None) -> Iterator[RunRecord]:
    """Record an activity; the block fills in the figures.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activity: the activity, such as `pull contacts`.
        month: the month that a push is limited to, such as 2026-10.

    Raises:
        StorageError: the record cannot be written (an error of the block itself is raised in its place).
    """
    asked = asked_with(run, activity)
    record = RunRecord(run=run, activity=activity, started_at=now(), month=month, asked=asked)
    claim(data_dir)
    show_begun(data_dir, run)
    with logged_to_file(data_dir / "logs", run), marked(data_dir, record):  # until the record is written
        outer = run_id.set(run)
        _log.info("%s begins", activity, extra={"event": "begin", "activity": activity})
        try:
            with interrupts_deferred():
                yield record
        except TracklySyncError as error:
            record.status, record.error = "failed", str(error)
            raise
        except Skipped as skip:
            record.status, record.details = "succeeded", details(skipped=skip.reason)
            record.error = skip.warning or None
            raise
        except Exception as error:
            record.status, record.error = "failed", type(error).__name__
            raise
        except BaseException:
            record.error = TERMINATED if was_terminated() else None
            raise
        else:
            record.status = "succeeded"
        finally:
            record.finished_at = now()
            _log_end(record)
            run_id.reset(outer)
            write_record(data_dir, record)


def asked_with(run: str, activity: str) -> str | None:
    """Return the run's command if the activity is a part of it; an intake is part of a push."""
    verb = activity.partition(" ")[0].replace("take", "push")
    of_run = asked_of(run)
    is_part = any(one.partition(" ")[0] == verb for one in of_run.split(", "))
    asked = of_run if is_part else _asked.get()
    return None if asked == activity else asked


def records(data_dir: Path) -> list[RunRecord]:
    """Return all records, oldest first.

    Raises:
        StorageError: a record cannot be read.
    """
    return [read_record(data_dir, name) for name in record_files(data_dir)]


def newest(data_dir: Path) -> Iterator[RunRecord]:
    """Yield all records, latest beginning first; each is read only when needed.

    Raises:
        StorageError: a record cannot be read.
    """
    return (read_record(data_dir, name) for name in reversed(record_files(data_dir)))


def records_of(data_dir: Path, run: str, activities: Collection[str]) -> list[RunRecord]:
    """Return the records of some activities of a run, without activities that have not ended.

    Args:
        data_dir: the data directory.
        run: the run's id.
        activities: such as `push sends`.

    Raises:
        StorageError: a record cannot be read.
    """
    ends = tuple(f"-{file_part(activity)}.json" for activity in activities)
    found = (read_record(data_dir, name) for name in reversed(record_files(data_dir)) if name.endswith(ends))
    return [record for record in found if record.run == run and record.activity in activities]


def as_ended(record: RunRecord) -> RunRecord:
    """Return a record as it will be if nothing more fails, for a table that is published only in that case."""
    return msgspec.structs.replace(record, status="succeeded", finished_at=now())


def last_of_each(data_dir: Path, status: str = "") -> dict[str, RunRecord]:
    """Return the newest record of each activity, by activity.

    Args:
        data_dir: the data directory.
        status: only records with this status.

    Raises:
        StorageError: a record cannot be read.
    """
    found: dict[str, RunRecord] = {}
    seen = set()
    for name in reversed(record_files(data_dir)):
        activity = name.split("-", 2)[-1]  # as `path_of` names them; most files need not be read
        if activity not in seen:
            record = read_record(data_dir, name)
            if status in ("", record.status):
                seen.add(activity)
                found[record.activity] = record
    for record in not_on_disk(data_dir):
        on_disk = found.get(record.activity)
        if status in ("", record.status) and (on_disk is None or on_disk.started_at < record.started_at):
            found[record.activity] = record
    return found


def details(**figures: Any) -> msgspec.Raw:
    """Return figures for a record's `details`."""
    return msgspec.Raw(msgspec.json.encode(figures))


def now() -> str:
    """Return the current time in the form of records: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


def seconds(record: RunRecord) -> float:
    """Return how long an activity took, or has taken so far."""
    end = datetime.fromisoformat(record.finished_at or now())
    return round((end - datetime.fromisoformat(record.started_at)).total_seconds(), 3)


def _log_end(record: RunRecord) -> None:
    took = seconds(record)
    rows = "" if record.rows is None else f", {plural(record.rows, 'row')}"
    moved = ("sent", "accepted", "left_out", "pending", "month")
    figures = {
        "event": "end",
        "activity": record.activity,
        "status": record.status,
        "seconds": took,
        "rows": record.rows,
        **{name: value for name in moved if (value := getattr(record, name)) is not None},
        "details": msgspec.json.decode(record.details),
        **({"error": record.error} if record.error else {}),
    }
    _log.info("%s %s in %.1f s%s", record.activity, record.status, took, rows, extra=figures)


def person() -> str | None:
    """Return the user's name on this machine, for decisions of a person; None if there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user need not have a name
        return None
