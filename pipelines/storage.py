"""Local files: what the disk can do wrong, as our errors; durable writes; and that nobody else may read them.

Only the owner may read the data directory. Our processes have the umask 077 from their start (`be_private`,
`private_folder`), so that files are private from their first byte, whichever library makes them, and a file that
replaces another is too. What does not belong here: what the files mean (`pipelines.snapshots`, `warehouse.swap`,
`push.stage.database`).
"""

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from pipelines.errors import StorageError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The bits of a mode that let others in."""

LITTLE_SPACE = 2 * 2**30
"""With fewer bytes free a pull of a large account may not fit."""

_LEAST_SPACE = 100 * 2**20
_WORK = ".work-"
_OURS = re.compile(
    r"\.?(warehouse\.duckdb|ledger\.db|webhooks\.db|push|webhooks)([.-].*)?|parquet|runs|logs|history|dagster"
    r"|\.?(report\.html|alerts\.json|account\.json)(\..*)?|\.account-served|\.made-by-.*|\.work-.*"
)
"""Names in a data directory that we give, with what databases, locks and unfinished files add to them."""
_umask = {"given": 0o022, "known": 0}
"""With which this process was started: the system forgets it once it is changed."""


def be_private() -> None:
    """Make this process create files that its user alone may read; its children inherit that."""
    given = os.umask(OTHERS)
    if not _umask["known"]:
        _umask.update(given=given, known=1)


def free_space(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not be there yet.

    Raises:
        StorageError: that cannot be known.
    """
    with storage_errors("measure the disk of", folder):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        return shutil.disk_usage(there).free


def needed_space(warehouse: Path) -> int:
    """Bytes without which no run can be counted on: a publish writes a copy of the warehouse.

    Raises:
        StorageError: the warehouse cannot be looked at.
    """
    with storage_errors("look at", warehouse):
        return max(_LEAST_SPACE, warehouse.stat().st_size if warehouse.exists() else 0)


def usual_mode() -> int:
    """What a file of the user's would have, as the process was started."""
    return 0o666 & ~_umask["given"]


def private_folder(path: Path) -> None:
    """Make a folder of the data directory, and those above it; what is made after this is private too.

    Raises:
        OSError: the disk refused; callers say what they were doing (`storage_errors`).
    """
    be_private()
    path.mkdir(parents=True, exist_ok=True)


def claim(data_dir: Path) -> None:
    """Keep others out of a data directory that was made by hand and is not in use yet.

    One that is in use is left as it is: somebody may have opened it on purpose, and `doctor` reports it.
    """
    be_private()
    with suppress(OSError):  # it is not there yet, or another user's: what makes or reads files there says so
        if data_dir.stat().st_mode & OTHERS and {entry.name for entry in os.scandir(data_dir)} <= {"history"}:
            data_dir.chmod(stat.S_IRWXU)


def open_to_others(data_dir: Path) -> list[Path]:
    """The data directory and what is in it, as far as others may read, write or enter it; links are not followed.

    Where it holds anything that is not ours by its name, as a home directory does, only what is ours in it.

    Raises:
        StorageError: a folder cannot be read.
    """
    with storage_errors("look through", data_dir):
        return [
            path for path in _everything(data_dir) if path.lstat().st_mode & OTHERS and not path.is_symlink()
        ]


def narrow(paths: list[Path]) -> None:
    """Take from others what they may do with these files and folders.

    Raises:
        StorageError: one belongs to somebody else.
    """
    for path in paths:
        # a file may have gone meanwhile
        with storage_errors("change the mode of", path), suppress(FileNotFoundError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)


def _everything(data_dir: Path) -> Iterator[Path]:
    if not data_dir.is_dir():
        return
    entries = [entry for entry in data_dir.iterdir() if not entry.is_symlink()]
    ours = [entry for entry in entries if _OURS.fullmatch(entry.name)]
    if ours == entries:
        yield data_dir
    for entry in ours:
        yield entry
        for parent, folders, files in os.walk(entry):
            yield from (Path(parent) / name for name in (*folders, *files))


@contextmanager
def work_folder(data_dir: Path) -> Iterator[Path]:
    """A folder in the data directory for the length of a block; `sweep` removes what a killed process left.

    In `/tmp` others could see what is there, and a disk in memory might not hold it.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("work in", data_dir):
        private_folder(data_dir)
        with _held(data_dir):  # nobody sweeps between the next two lines
            folder = Path(mkdtemp(prefix=_WORK, dir=data_dir))
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(data_dir: Path) -> None:
    """Remove work folders whose process is gone; what is in use is locked, and stays.

    Raises:
        StorageError: one cannot be removed.
    """
    with storage_errors("look through", data_dir):
        if not data_dir.is_dir():
            return
        found = [Path(entry) for entry in os.scandir(data_dir) if entry.name.startswith(_WORK)]
        if not found:
            return
        with _held(data_dir):
            for folder in found:
                _remove_unless_held(folder)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file; one that is not there is held by nobody.

    Raises:
        StorageError: that cannot be known.
    """
    with storage_errors("look at", path):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
    return False


def _remove_unless_held(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except (BlockingIOError, FileNotFoundError):
        return
    finally:
        os.close(handle)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def storage_errors(doing: str, path: Path, setting: str = "TRACKLY_DATA_DIR") -> Iterator[None]:
    """Turn what a disk does wrong into a StorageError.

    Args:
        doing: what was being done, as in "cannot <doing>".
        path: the file or folder concerned.
        setting: the one that says where it lies.

    Raises:
        StorageError: any OSError inside (no space, read-only, ...), DuckDB's and Arrow's included.
    """
    try:
        yield
    except (TimeoutError, BrokenPipeError):  # a lock that is held, or a reader that has gone: not the disk
        raise
    except OSError as error:  # pyarrow raises OSError too
        raise StorageError(
            f"Cannot {doing} {path}: {error.strerror or error}.", _remedy(error, path, setting)
        ) from error
    except Exception as error:
        # duckdb is not imported here: `status` must not pay for it. Its I/O errors are known by name; a checkpoint
        # for which there is no room is a fatal one.
        if type(error).__name__ not in ("IOException", "OutOfMemoryException", "FatalException"):
            raise
        raise StorageError(
            f"Cannot {doing} {path}: {_first_line(error)}.", _remedy(error, path, setting)
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".!")


def _remedy(error: Exception, path: Path, setting: str) -> str:
    if "No space" in str(error):
        return f"Make room on the disk of {path.parent}, then run the command again: nothing is half-done."
    if "not a valid DuckDB" in str(error):
        return "It is damaged: move it away. A pull and a push rebuild it from the account and the ledger."
    return (
        f"See that {path.parent} exists and can be written to ({setting}), then run the command again: nothing is"
        " half-done."
    )


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; where that may not be known it is an error, not a no.

    Raises:
        StorageError: a folder above it may not be read.
    """
    with storage_errors("look for", path):
        return path.exists()


def write_durably(
    path: Path, content: bytes, *, setting: str = "TRACKLY_DATA_DIR", mode: int = 0o600
) -> None:
    """Write a small file so that it is there completely or not at all, also after a power cut.

    Args:
        path: where to.
        content: all of it.
        setting: the one that says where it lies.
        mode: of the file; private, unless others are meant to read it.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("write", path, setting):
        private_folder(path.parent)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with unfinished.open("wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (after a rename)."""
    sync_file(folder)
