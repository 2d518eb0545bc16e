"""The snapshot that is being made: its dataset, its id, and the folder of its files.

What does not belong here: making the folder and putting it in place (`pipelines.snapshots`).
"""

from dataclasses import dataclass
from pathlib import Path

from pipelines.snapshots import SnapshotFolder
from pipelines.storage import storage_errors
from schemas.columns import Dataset


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
