"""Whether an activity goes on or was killed: a mark of each that has begun.

As long as an activity goes on, a locked file beside its record to be shows it; a process that is killed leaves that
file behind, unlocked, with the time of its last sign of life. What does not belong here: what an activity came to
(`recording`), and whether a run as a whole goes on (`run_state`).
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
    """Activities that have begun and not ended, oldest first: `running`, or `killed` where their process is gone.

    What was killed is listed until the same activity begins again; it is on record then, as killed. It has "ended"
    with its last sign of life: it was at work at least until then.
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
    """Keep what is known of an activity that goes on, for `complete`; what cannot be written is not kept.

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
    """Complete what is on record of activities whose process was killed, once each.

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
    """A mark, locked, and its record where the process is gone that left it; else None."""
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
    """What its mark says of an activity whose process is gone; one that was completed since has it in its text."""
    record.status = "killed"
    record.finished_at = record.finished_at or max(heartbeat.last_sign(handle), record.started_at)


def _rewrite(handle: int, record: RunRecord) -> None:
    content = msgspec.json.encode(record)
    os.pwrite(handle, content, 0)
    os.ftruncate(handle, len(content))


@contextmanager
def marked(data_dir: Path, record: RunRecord) -> Iterator[None]:
    """Show that an activity is under way; where that cannot be written, it goes on without."""
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
    """Make a record of an activity whose process is gone."""
    with _taken(mark) as (_, killed):
        if killed is not None and mark.with_suffix(".json").exists():  # it ended, and was killed only then
            mark.unlink()
        elif killed is not None:
            killed.error = f"{KILLED}; nothing is half-done."
            write_durably(mark.with_suffix(".json"), msgspec.json.encode(killed))
            mark.unlink()
