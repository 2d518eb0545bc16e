"""The files of run records in `runs/`: their names, reading and writing them, also where the disk is full.

What the disk refuses is kept for as long as this process lives, by the path that it was for: alerts are judged by it,
and what was alerted is kept here too. What does not belong here: what is on record, and when (`recording`).
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from pipelines.errors import StorageError
from pipelines.runs.run_state import tag
from pipelines.storage import is_there, storage_errors, sync_folder, write_durably
from schemas.own_tables.sync import RunRecord

BEGUN = ".begun"
"""The suffix of the mark of an activity that has begun, beside what is to be its record."""

KILLED = "The process was killed"
_RESERVE = ".room-for-records"
_RESERVED_BYTES = 65_536
"""Room for some records, each of which takes its own: a disk may stay full while several runs fail."""
_BLOCK = 4_096
_refused: dict[Path, bytes] = {}
"""What the disk refused of this process, by path."""


def record_files(data_dir: Path) -> list[str]:
    """The files of the records by their names, oldest first; no Path for each, since there may be tens of thousands.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = data_dir / "runs"
    if not is_there(folder):
        return []
    with storage_errors("read", folder):
        return sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208 - as the docstring says


def read_record(data_dir: Path, name: str) -> RunRecord:
    """The record in a file of `record_files`.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    path = data_dir / "runs" / name
    with storage_errors("read", path):
        content = path.read_bytes()
    try:
        record = msgspec.json.decode(content, type=RunRecord)
    except msgspec.DecodeError as error:
        raise StorageError(f"{path} is damaged ({error}).", "Delete it; it holds figures only.") from error
    if record.status == "stopped" and (record.error or "").startswith(KILLED):
        record.status = "killed"  # by a version that had no such status
    return record


def path_of(data_dir: Path, record: RunRecord) -> Path:
    """The file of a record: when its activity began, by which process, of which run, and what it is."""
    process = f"{os.getpid()}.{tag(record.run)}"
    return data_dir / "runs" / f"{stamp(record)}-{process}-{file_part(record.activity)}.json"


def stamp(record: RunRecord) -> str:
    """When an activity began, as names of files begin with it."""
    return record.started_at.replace(":", "").replace("-", "").partition("+")[0]


def tag_in(name: str) -> str:
    """The tag of the run in the name of a record's file; "" where an earlier version wrote it."""
    return name.split("-", 2)[1].partition(".")[2] if name.count("-") > 1 else ""


def file_part(activity: str) -> str:
    """An activity in the name of a file."""
    return activity.replace(" ", "-")


def files_of(data_dir: Path, run: str) -> list[str]:
    """The files of the records of a run, oldest first; without those that an earlier version wrote.

    Raises:
        StorageError: the folder cannot be read.
    """
    own = tag(run)
    return [name for name in record_files(data_dir) if tag_in(name) == own]


def is_own(name: str) -> bool:
    """Whether a process of this number wrote the file of a record."""
    return f"-{os.getpid()}." in name


def write_record(data_dir: Path, record: RunRecord) -> None:
    """Put a record on disk; one of a failure that the disk refuses is kept for `not_on_disk`.

    What the disk refused of the same run comes first: what was stopped since another part failed must not be all
    that is on record of it.

    Raises:
        StorageError: the disk refused one of a success.
    """
    path, content = path_of(data_dir, record), msgspec.json.encode(record)
    try:
        write_refused(data_dir, record.run)
        _write_somehow(path, content)
    except StorageError as error:
        if record.status == "succeeded":
            failed = msgspec.structs.replace(record, status="failed", error=str(error))
            keep(path, msgspec.json.encode(failed))
            raise
        keep(path, content)  # the block's own error says more: a full disk fails both


def write_refused(data_dir: Path, run: str) -> None:
    """Write the records of a run that the disk refused of this process.

    Raises:
        StorageError: it refuses one again.
    """
    for record in not_on_disk(data_dir):
        path = path_of(data_dir, record)
        if record.run == run:
            _write_somehow(path, _refused[path])
            keep(path, None)


def reserve_room(folder: Path) -> None:
    """Keep room for records in their folder, as long as there is some."""
    reserve = folder / _RESERVE
    with suppress(StorageError, OSError):
        if not reserve.exists() or reserve.stat().st_size < _RESERVED_BYTES:
            write_durably(reserve, bytes(_RESERVED_BYTES))


def _write_somehow(path: Path, content: bytes) -> None:
    """Write a record; where the disk is full, over the mark of its activity, or in the room that was kept for it."""
    try:
        write_durably(path, content)
    except StorageError:
        if not _written_over_mark(path, content):
            _write_in_reserve(path, content)
    else:
        reserve_room(path.parent)


def _written_over_mark(path: Path, content: bytes) -> bool:
    """Whether a record has taken the place of its mark, which has a block on the disk already."""
    mark = path.with_suffix(BEGUN)
    try:
        handle = os.open(mark, os.O_RDWR)
    except OSError:
        return False
    try:
        before = os.read(handle, _BLOCK)
        if len(content) > _BLOCK or not _overwritten(handle, content):
            _overwritten(handle, before)
            return False
        mark.replace(path)
        sync_folder(path.parent)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _overwritten(handle: int, content: bytes) -> bool:
    if os.pwrite(handle, content, 0) < len(content):
        return False
    os.ftruncate(handle, len(content))
    os.fsync(handle)
    return True


def _write_in_reserve(path: Path, content: bytes) -> None:
    reserve = path.with_name(_RESERVE)
    with storage_errors("make room for", path):
        if is_there(reserve):
            _give_room(reserve, len(content))
    write_durably(path, content)


def _give_room(reserve: Path, size: int) -> None:
    """Shorten the reserve by a file of a size and a block for its name; where it has no more, it goes."""
    left = reserve.stat().st_size - (-(-size // _BLOCK) + 1) * _BLOCK
    if left > 0:
        os.truncate(reserve, left)
    else:
        reserve.unlink(missing_ok=True)


def not_on_disk(data_dir: Path) -> list[RunRecord]:
    """Records of this process that the disk refused."""
    folder = data_dir / "runs"
    return [
        msgspec.json.decode(content, type=RunRecord)
        for path, content in _refused.items()
        if path.parent == folder
    ]


def keep(path: Path, content: bytes | None) -> None:
    """Keep what the disk refused of a file; None where there is nothing to be kept any more."""
    if content is None:
        _refused.pop(path, None)
    else:
        _refused[path] = content


def kept(path: Path) -> bytes | None:
    """What the disk refused of a file last; None where it has all."""
    return _refused.get(path)
