"""Which files the archive of what was sent has, by their names alone; light, since `status` asks.

What does not belong here: what is in them (`rows`).
"""

from pathlib import Path

from pipelines.settings import Settings
from pipelines.storage import storage_errors

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
