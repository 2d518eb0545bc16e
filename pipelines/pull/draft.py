"""The snapshot that is being made: one at a time of a dataset, in a folder that is thrown away if it is not finished.

What does not belong here: finished snapshots, and how a draft becomes one (`pipelines.snapshots`).
"""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import BusyError
from pipelines.snapshots import SnapshotFolder
from pipelines.storage import private_folder, storage_errors
from schemas.columns import Dataset

_log = logging.getLogger(__name__)
_LOCK_POLL_SECONDS = 0.2

LOCK_SECONDS = 3600.0
"""How long a second pull of a dataset waits for the first."""


@dataclass(frozen=True, slots=True)
class Draft(SnapshotFolder):
    """A snapshot that is being made, in a folder that is private to this pull.

    Attributes:
        dataset: the dataset of its rows.
        snapshot: its id, which every row names.
        run: the id of the run that makes it.
        started_at: when the snapshot was begun; ISO 8601, UTC.
    """

    dataset: Dataset
    snapshot: str
    run: str = ""
    started_at: str = ""

    @property
    def work(self) -> Path:
        """The folder of batches, which is deleted before the draft is renamed."""
        return self.folder / "work"

    def make_work(self) -> None:
        """Make the folder of batches.

        Raises:
            StorageError: the disk refused.
        """
        with storage_errors("make", self.work):
            self.work.mkdir(mode=0o700)


@asynccontextmanager
async def dataset_lock(parquet_dir: Path, dataset: str) -> AsyncIterator[None]:
    """Hold a dataset for one pull; a second one says so and waits.

    Raises:
        BusyError: the other pull took too long.
        StorageError: the disk refused.
    """
    lock = _lock_of(parquet_dir, dataset)
    await _acquired(lock, dataset)
    try:
        yield
    finally:
        lock.release()


def _lock_of(parquet_dir: Path, dataset: str) -> FileLock:
    with storage_errors("make", parquet_dir):
        private_folder(parquet_dir)
    return FileLock(parquet_dir / f".{dataset}.lock", thread_local=False)


async def _acquired(lock: FileLock, dataset: str, seconds: float = LOCK_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    waiting = False
    while True:
        try:
            with storage_errors("lock", Path(lock.lock_file)):
                lock.acquire(timeout=0)
        except Timeout:
            if not waiting:
                _log.warning("Another pull of %s is under way; waiting for it to end.", dataset)
            waiting = True
        else:
            return
        if time.monotonic() > deadline:
            raise BusyError(
                f"Another pull of {dataset} has been under way for {seconds / 3600:.0f} hours.",
                "See whether it still works; stop it if it does not.",
            )
        await asyncio.sleep(_LOCK_POLL_SECONDS)


@contextmanager
def draft(dataset_dir: Path, snapshot: str) -> Iterator[Path]:
    """A folder to write a snapshot in; it is thrown away unless `snapshots.seal` has renamed it.

    Folders that killed runs left behind are removed first: the caller holds the dataset's lock.

    Raises:
        StorageError: the disk refused.
    """
    folder = dataset_dir / f".{snapshot}"
    with storage_errors("make", folder):
        private_folder(dataset_dir)
        for orphan in dataset_dir.glob(".*Z-*"):
            shutil.rmtree(orphan)
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
