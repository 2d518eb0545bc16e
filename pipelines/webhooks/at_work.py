"""Shows that receivers are running on a data directory, so that no command empties it.

What does not belong here: whether events arrive (`queue.state`).
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.storage import is_locked, private_folder, storage_errors

_LOCK = ".webhooks.lock"


@contextmanager
def at_work(data_dir: Path) -> Iterator[None]:
    """Mark a receiver as running during a block; the system removes the lock whenever the process ends.

    Raises:
        StorageError: the disk refused.
    """
    path = data_dir / _LOCK
    with storage_errors("lock", path):
        private_folder(data_dir)
        file = path.open("ab")
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_at_work(data_dir: Path) -> bool:
    """Whether a receiver is running.

    Raises:
        StorageError: that cannot be known.
    """
    return is_locked(data_dir / _LOCK)
