"""Shows whether an activity is under way or was killed, by a mark for each that has begun.

While an activity is under way, there is a locked file in the folder of its later record. A process that is killed
leaves this file unlocked, with the time of its last sign of life. What does not belong here: the result of an
activity (`recording`), and whether a complete run is under way (`run_state`).
"""

import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from pipelines.errors import StorageError
from pipelines.process import heartbeat
from pipelines.runs.record_files import BEGUN, KILLED, path_of, reserve_room
from pipelines.runs.run_state import has_ended, lock
from pipelines.storage import private_folder, write_durably
from schemas.own_tables.sync import RunRecord

_MOST_BYTES = 65_536


def unended(data_dir: Path) -> list[RunRecord]:
    """Return activities that have not ended, oldest first: `running`, or `killed` if their process is gone.

    A killed activity is listed until the same activity begins again; then it is recorded as killed. Its end is its
    last sign of life: it was at work at least until then.
    """
    found = []
    for path in sorted((data_dir / "runs").glob(f"*{BEGUN}")):
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:  # it ended meanwhile, or is another user's
            continue
        try:
            record = msgspec.json.decode(os.read(handle, _MOST_BYTES), type=RunRecord)
            record.status = "running"
            if lock(handle):
                _note_killed(handle, record)
            if not has_ended(handle) and not path.with_suffix(".json").exists():
                found.append(record)
        except (OSError, msgspec.DecodeError):  # it is beginning
            continue
        finally:
            os.close(handle)
    return found


def note_progress(data_dir: Path, record: RunRecord, **figures: Any) -> None:
    """Save figures of an activity under way, for `complete`; if they cannot be written, they are not kept.

    Args:
        data_dir: the data directory.
        record: of the activity.
        figures: for its details, until it ends.
    """
    path = path_of(data_dir, record).with_suffix(BEGUN)
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR)
        try:
            _rewrite(
                handle, msgspec.structs.replace(record, details=msgspec.Raw(msgspec.json.encode(figures)))
            )
        finally:
            os.close(handle)


def complete(data_dir: Path, activities: Collection[str], fill_in: Callable[[RunRecord], None]) -> None:
    """Complete the records of activities whose process was killed, once each.

    Args:
        data_dir: the data directory.
        activities: such as `push sends`.
        fill_in: sets the figures of a record; `rows` among them.
    """
    for path in sorted((data_dir / "runs").glob(f"*{BEGUN}")):
        with suppress(OSError, msgspec.DecodeError), _taken(path) as (handle, record):
            if record is not None and record.rows is None and record.activity in activities:
                fill_in(record)
                _rewrite(handle, record)


@contextmanager
def _taken(mark: Path) -> Iterator[tuple[int, RunRecord | None]]:
    """Yield a locked mark and its record if its process is gone; otherwise None."""
    handle = os.open(mark, os.O_RDWR)
    try:
        record = None
        if lock(handle) and not has_ended(handle):
            record = msgspec.json.decode(os.read(handle, _MOST_BYTES), type=RunRecord)
            _note_killed(handle, record)
        yield handle, record
    finally:
        os.close(handle)


def _note_killed(handle: int, record: RunRecord) -> None:
    """Fill the record of an activity whose process is gone from its mark; a completed one has its figures there."""
    record.status = "killed"
    record.finished_at = record.finished_at or max(heartbeat.last_sign(handle), record.started_at)


def _rewrite(handle: int, record: RunRecord) -> None:
    content = msgspec.json.encode(record)
    os.pwrite(handle, content, 0)
    os.ftruncate(handle, len(content))


@contextmanager
def marked(data_dir: Path, record: RunRecord) -> Iterator[None]:
    """Mark an activity as under way during a block; if the mark cannot be written, continue without it."""
    path = path_of(data_dir, record).with_suffix(BEGUN)
    try:
        handle = _mark(path, record)
    except OSError:
        yield
        return
    try:
        heartbeat.begin(handle)
        yield
    finally:
        heartbeat.end(handle)
        path.unlink(missing_ok=True)
        os.close(handle)


def _mark(path: Path, record: RunRecord) -> int:
    private_folder(path.parent)
    reserve_room(path.parent)
    for earlier in path.parent.glob(f"*-{path.name.split('-', 2)[-1]}"):
        with suppress(OSError, StorageError, msgspec.DecodeError):
            _put_on_record(earlier)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, msgspec.json.encode(record))
    except OSError:
        path.unlink(missing_ok=True)
        os.close(handle)
        raise
    return handle


def _put_on_record(mark: Path) -> None:
    """Write a record for an activity whose process is gone."""
    with _taken(mark) as (_, killed):
        if (
            killed is not None and mark.with_suffix(".json").exists()
        ):  # it had ended, and was killed only after that
            mark.unlink()
        elif killed is not None:
            killed.error = f"{KILLED}; nothing is half-done."
            write_durably(mark.with_suffix(".json"), msgspec.json.encode(killed))
            mark.unlink()
