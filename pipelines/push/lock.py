"""One push at a time on a data directory.

What does not belong here: the lock on the warehouse (`pipelines.warehouse.swap`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import BusyError
from pipelines.storage import storage_errors


@contextmanager
def push_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock; the system lets go of it when the process ends, however it ends.

    Raises:
        BusyError: another push is under way.
        StorageError: the folder cannot be written.
    """
    path = data_dir / ".push.lock"
    lock = FileLock(path)
    try:
        with storage_errors("lock", path):
            data_dir.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except Timeout:
        raise BusyError("Another push is under way.", "Wait for it to end, then push again.") from None
    try:
        yield
    finally:
        lock.release()
