"""Which files of the archive count, by their names alone; a light module, because `status` uses it.

What does not belong here: the content of the files (`rows`).
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
    """Return the folder of a dataset's archive."""
    return settings.parquet_dir / "imports" / dataset


def archived(folder: Path) -> list[Path]:
    """Return the files that count, oldest first.

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
    """Return the numbers of the first and the last push in a file."""
    first, _, last = path.stem.partition("-")
    return int(first), int(last)


def reading_archive(
    settings: Settings, datasets: Collection[str] = tuple(PUSHED)
) -> AbstractContextManager[None]:
    """Run a block that reads the archive; an error names the file that is damaged.

    Args:
        settings: the place of the archive.
        datasets: the datasets that are read.

    Raises:
        StorageError: in the block, a file is damaged.
    """
    files = [path for name in datasets for path in archived(archive_folder(settings, name))]
    return own_files(files, without_file, ("identity", "content"))


def without_file(path: Path) -> str:
    """Return the remedy for a damaged file of the archive, and what is lost without a backup."""
    return (
        f"Restore it from a backup. Without a backup, move {path.name} away and push; if the ledger was lost or "
        "restored, run trackly-sync adopt first. Rows that are still in history files are archived again; for other "
        "rows the warehouse keeps what it has, and a new warehouse has nothing."
    )
