"""Local files: disk errors as our errors, durable writes, and private file modes.

Only the owner may read the data directory. Our processes have the umask 077 from their start (`be_private`,
`private_folder`), so that files are private from their first byte, whichever library makes them, also files that
replace others. What does not belong here: what the files mean (`pipelines.snapshots`, `warehouse.swap`,
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
"""The mode bits of other users."""

LITTLE_SPACE = 2 * 2**30
"""Free bytes below which a pull of a large account may not fit."""

_LEAST_SPACE = 100 * 2**20
_WORK = ".work-"
_OURS = re.compile(
    r"\.?(warehouse\.duckdb|ledger\.db|webhooks\.db|push|webhooks)([.-].*)?|parquet|runs|logs|history|dagster"
    r"|\.?(report\.html|alerts\.json|account\.json)(\..*)?|\.account-served|\.made-by-.*|\.work-.*"
)
"""Our names in a data directory, with the suffixes of databases, locks and unfinished files."""
_umask = {"given": 0o022, "known": 0}
"""The umask at the start of this process; the system does not keep it after a change."""


def be_private() -> None:
    """Make this process and its children create files that only its user may read."""
    given = os.umask(OTHERS)
    if not _umask["known"]:
        _umask.update(given=given, known=1)


def free_space(folder: Path) -> int:
    """Return the free bytes on the disk of a folder, which need not exist yet.

    Raises:
        StorageError: that cannot be known.
    """
    with storage_errors("measure the disk of", folder):
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        return shutil.disk_usage(there).free


def needed_space(warehouse: Path) -> int:
    """Return the free bytes that a run needs: a publish writes a copy of the warehouse.

    Raises:
        StorageError: the warehouse cannot be looked at.
    """
    with storage_errors("look at", warehouse):
        return max(_LEAST_SPACE, warehouse.stat().st_size if warehouse.exists() else 0)


def usual_mode() -> int:
    """Return the mode of a new file by the user's own umask."""
    return 0o666 & ~_umask["given"]


def private_folder(path: Path) -> None:
    """Make a folder of the data directory and its parents; files made later in this process are private too.

    Raises:
        OSError: the disk refused; callers say what they were doing (`storage_errors`).
    """
    be_private()
    path.mkdir(parents=True, exist_ok=True)


def claim(data_dir: Path) -> None:
    """Make a data directory private that was made by hand and is not in use yet.

    A directory in use is not changed: it may have been opened to others on purpose, and `doctor` reports it.
    """
    be_private()
    with suppress(OSError):  # missing, or another user's: the code that makes or reads files there reports it
        if data_dir.stat().st_mode & OTHERS and {entry.name for entry in os.scandir(data_dir)} <= {"history"}:
            data_dir.chmod(stat.S_IRWXU)


def open_to_others(data_dir: Path) -> list[Path]:
    """Return the data directory and its files that other users may read, write or enter; links are not followed.

    If it holds files without our names, as a home directory does, only files with our names are returned.

    Raises:
        StorageError: a folder cannot be read.
    """
    with storage_errors("look through", data_dir):
        return [
            path for path in _everything(data_dir) if path.lstat().st_mode & OTHERS and not path.is_symlink()
        ]


def narrow(paths: list[Path]) -> None:
    """Remove other users' access to these files and folders.

    Raises:
        StorageError: a file belongs to another user.
    """
    for path in paths:
        # a file may have been removed meanwhile
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
    """Yield a folder in the data directory for a block; `sweep` removes folders of killed processes.

    In `/tmp` others could see the file names, and a disk in memory might be too small.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("work in", data_dir):
        private_folder(data_dir)
        with _held(data_dir):  # no sweep can happen between the next two lines
            folder = Path(mkdtemp(prefix=_WORK, dir=data_dir))
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(data_dir: Path) -> None:
    """Remove work folders whose process is gone; folders in use are locked and stay.

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
    """Whether a process holds the lock of a file; False if the file does not exist.

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
    """Turn disk errors into a StorageError.

    Args:
        doing: the action, as in "cannot <doing>".
        path: the file or folder concerned.
        setting: the one that says where it lies.

    Raises:
        StorageError: any OSError inside (no space, read-only, ...), DuckDB's and Arrow's included.
    """
    try:
        yield
    except (TimeoutError, BrokenPipeError):  # a held lock or a closed pipe is not a disk error
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
    """Whether a file or folder exists; an error if this cannot be known.

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
        path: of the file.
        content: the complete content.
        setting: the one that says where it lies.
        mode: of the file; private, unless others should read it.

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
