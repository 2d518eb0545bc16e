"""Which files the archive of what was sent has, by their names alone; light, since `status` asks.

What does not belong here: what is in them (`rows`).
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path

from pipelines.databases.parquet_files import own_files
from pipelines.settings import Settings
from pipelines.storage import storage_errors
from schemas.registry import PUSHED

FILES = "[0-9]*-[0-9]*.parquet"


def archive_folder(settings: Settings, dataset: str) -> Path:
    """Where the archive of a dataset lies."""
    return settings.parquet_dir / "imports" / dataset


def archived(folder: Path) -> list[Path]:
    """The files that count, oldest first.

    Raises:
        StorageError: the folder cannot be read.
    """
    with storage_errors("read", folder):
        found = sorted((*span(path), path) for path in folder.glob(FILES))
    files, covered = [], 0
    for first, last, path in sorted(found, key=lambda item: (item[0], -item[1])):
        if last > covered and first > covered:
            files.append(path)
            covered = last
    return files


def span(path: Path) -> tuple[int, int]:
    """The numbers of the first and the last push that a file is of."""
    first, _, last = path.stem.partition("-")
    return int(first), int(last)


def reading_archive(
    settings: Settings, datasets: Collection[str] = tuple(PUSHED)
) -> AbstractContextManager[None]:
    """A block that reads the archive; a file of it that is damaged is named.

    Args:
        settings: where it lies.
        datasets: of which datasets it is read.

    Raises:
        StorageError: in the block, one is damaged.
    """
    files = [path for name in datasets for path in archived(archive_folder(settings, name))]
    return own_files(files, without_file, ("identity", "content"))


def without_file(path: Path) -> str:
    """What to do where a file of the archive is damaged, and what is lost by it: for people."""
    return (
        f"Put it back from a backup. Without one: move {path.name} away and push; where the ledger was lost or "
        "restored, trackly-sync adopt first. Rows that are still in history files are archived again; of others the "
        "warehouse keeps what it has, and a new one has nothing."
    )
