"""Local files: what the disk can do wrong, as our errors, and durable writes.

What does not belong here: what the files mean (snapshots are in pull, the warehouse file in warehouse).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import StorageError


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
    except (
        TimeoutError,
        BrokenPipeError,
    ):  # a lock that is held, a reader that has gone: not the disk's doing
        raise
    except OSError as error:  # pyarrow raises OSError too
        raise StorageError(
            f"Cannot {doing} {path}: {error.strerror or error}.", _remedy(error, path, setting)
        ) from error
    except Exception as error:
        # duckdb is not imported here: `status` must not pay for it. Its I/O errors are told by name; a checkpoint
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
        return f"Make room on the disk of {path.parent}, then run the command again; nothing was changed."
    if "not a valid DuckDB" in str(error):
        return "It is damaged: move it away; pull and push make it anew, from the account and the ledger."
    return f"See that {path.parent} exists and can be written to ({setting}); nothing was changed."


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; where that may not be known it is an error, not a no.

    Raises:
        StorageError: a folder above it may not be read.
    """
    with storage_errors("look for", path):
        return path.exists()


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all, also after a power cut.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
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
