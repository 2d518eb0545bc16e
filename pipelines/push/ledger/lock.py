"""One push at a time on a data directory, and on a part of a ledger that several machines share.

What does not belong here: the lock on the warehouse (`pipelines.warehouse.swap`).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from pipelines.errors import BusyError
from pipelines.push.ledger.ledger import Ledger
from pipelines.storage import private_folder, storage_errors


@contextmanager
def part_lock(ledger: Ledger) -> Iterator[None]:
    """Hold this part of a ledger on PostgreSQL; the server releases it when the process ends in any way.

    Without this lock, machines with one name for their part would take each other's calls for those of a dead
    process.

    Raises:
        BusyError: another machine pushes a part of this name.
        StorageError: the ledger cannot be reached.
    """
    stack = ExitStack()
    connection = stack.enter_context(ledger.begin())
    try:
        if connection.dialect.name == "postgresql":
            number = int.from_bytes(sha256(f"trackly-sync {ledger.part}".encode()).digest()[:8], signed=True)
            # held as long as this transaction, which does nothing else
            lock = sa.select(sa.func.pg_try_advisory_xact_lock(number))
            if not connection.execute(lock).scalar_one():
                raise BusyError(
                    f"Another machine pushes the part {ledger.part!r} of the input on this ledger.",
                    "Wait for it to end, or give each machine a name of its own: TRACKLY_PUSH_PART.",
                )
        else:
            stack.close()  # the lock on the data directory is enough
        yield
    finally:
        stack.close()


@contextmanager
def push_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock on the data directory; the system releases it when the process ends in any way.

    Raises:
        BusyError: another push is under way.
        StorageError: the folder cannot be written.
    """
    path = data_dir / ".push.lock"
    lock = FileLock(path)
    try:
        with storage_errors("lock", path):
            private_folder(data_dir)
            lock.acquire(timeout=0)
    except Timeout:
        raise BusyError("Another push is under way.", "Wait for it to end, then push again.") from None
    try:
        yield
    finally:
        lock.release()
