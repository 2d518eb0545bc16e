"""The files of run records in `runs/`: their names, reading and writing, also on a full disk.

Data that the disk refuses is kept in this process, by its path: alerts use it, and the state of alerts is kept here
too. What does not belong here: the contents of records (`recording`).
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
"""Suffix of the mark of an activity that has begun, in the folder of its later record."""

KILLED = "The process was killed"
_RESERVE = ".room-for-records"
_RESERVED_BYTES = 65_536
"""Space reserved for some records: a disk may stay full while several runs fail."""
_BLOCK = 4_096
_refused: dict[Path, bytes] = {}
"""Data of this process that the disk refused, by path."""


def record_files(data_dir: Path) -> list[str]:
    """Return the names of the record files, oldest first; no Path objects, since there may be tens of thousands.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = data_dir / "runs"
    if not is_there(folder):
        return []
    with storage_errors("read", folder):
        return sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208 - as the docstring says


def read_record(data_dir: Path, name: str) -> RunRecord:
    """Read the record in a file of `record_files`.

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
        record.status = "killed"  # written by a version without this status
    return record


def path_of(data_dir: Path, record: RunRecord) -> Path:
    """Return the file of a record; its name has the beginning, the process, the run and the activity."""
    process = f"{os.getpid()}.{tag(record.run)}"
    return data_dir / "runs" / f"{stamp(record)}-{process}-{file_part(record.activity)}.json"


def stamp(record: RunRecord) -> str:
    """Return an activity's beginning in the form for file names."""
    return record.started_at.replace(":", "").replace("-", "").partition("+")[0]


def tag_in(name: str) -> str:
    """Return the run's tag in the name of a record file; "" if an earlier version wrote it."""
    return name.split("-", 2)[1].partition(".")[2] if name.count("-") > 1 else ""


def file_part(activity: str) -> str:
    """Return an activity in the form for file names."""
    return activity.replace(" ", "-")


def files_of(data_dir: Path, run: str) -> list[str]:
    """The files of the records of a run, oldest first; without those that an earlier version wrote.

    Raises:
        StorageError: the folder cannot be read.
    """
    own = tag(run)
    return [name for name in record_files(data_dir) if tag_in(name) == own]


def is_own(name: str) -> bool:
    """Whether a process with our number wrote a record file."""
    return f"-{os.getpid()}." in name


def write_record(data_dir: Path, record: RunRecord) -> None:
    """Write a record; if the disk refuses a record of a failure, keep it for `not_on_disk`.

    Earlier refused records of the same run are written first: an activity that was stopped because another failed
    must not be the run's only record.

    Raises:
        StorageError: the disk refused a record of a success.
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
        keep(path, content)  # a full disk fails both, and the block's own error is more useful


def write_refused(data_dir: Path, run: str) -> None:
    """Write the records of a run that the disk refused before.

    Raises:
        StorageError: it refuses one again.
    """
    for record in not_on_disk(data_dir):
        path = path_of(data_dir, record)
        if record.run == run:
            _write_somehow(path, _refused[path])
            keep(path, None)


def reserve_room(folder: Path) -> None:
    """Reserve space for records in their folder, if there is some."""
    reserve = folder / _RESERVE
    with suppress(StorageError, OSError):
        if not reserve.exists() or reserve.stat().st_size < _RESERVED_BYTES:
            write_durably(reserve, bytes(_RESERVED_BYTES))


def _write_somehow(path: Path, content: bytes) -> None:
    """Write a record; on a full disk, over the mark of its activity, or into the reserved space."""
    try:
        write_durably(path, content)
    except StorageError:
        if not _written_over_mark(path, content):
            _write_in_reserve(path, content)
    else:
        reserve_room(path.parent)


def _written_over_mark(path: Path, content: bytes) -> bool:
    """Write a record over its mark, which has a block on the disk already; return whether this worked."""
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
    """Shorten the reserved file by a record's size and a block for its name, or delete it."""
    left = reserve.stat().st_size - (-(-size // _BLOCK) + 1) * _BLOCK
    if left > 0:
        os.truncate(reserve, left)
    else:
        reserve.unlink(missing_ok=True)


def not_on_disk(data_dir: Path) -> list[RunRecord]:
    """Return records of this process that the disk refused."""
    folder = data_dir / "runs"
    return [
        msgspec.json.decode(content, type=RunRecord)
        for path, content in _refused.items()
        if path.parent == folder
    ]


def keep(path: Path, content: bytes | None) -> None:
    """Keep the content of a file that the disk refused; None to forget it."""
    if content is None:
        _refused.pop(path, None)
    else:
        _refused[path] = content


def kept(path: Path) -> bytes | None:
    """Return the content of a file that the disk refused last; None if nothing was refused."""
    return _refused.get(path)
