"""Snapshots on disk: immutable folders `parquet/<dataset>/<snapshot>/`, complete or absent.

A snapshot is written in a folder with a dot before its name and renamed when its manifest is in it, so a folder
without a dot is always complete. Pulls write them, the warehouse reads them. What does not belong here: how rows are
written (see `pull`).
"""

import logging
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pipelines.databases.parquet_files import own_files
from pipelines.errors import StorageError
from pipelines.storage import storage_errors, sync_file, sync_folder, write_durably
from schemas.own_tables.sync import Manifest

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_WHOLE = "[0-9]*Z-*"
_STAMP, _TICK = "%Y%m%dT%H%M%S%fZ", timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """The paths of a snapshot's files.

    Attributes:
        folder: the snapshot's own.
    """

    folder: Path

    @property
    def data(self) -> Path:
        """Parquet: its rows, which are published."""
        return self.folder / "data.parquet"

    @property
    def quarantine(self) -> Path:
        """Parquet: its quarantined rows."""
        return self.folder / "quarantine.parquet"

    @property
    def pages(self) -> Path:
        """Parquet: its replies, one row each."""
        return self.folder / "pages.parquet"


@dataclass(frozen=True, slots=True)
class Snapshot(SnapshotFolder):
    """A complete snapshot on disk.

    Attributes:
        manifest: its contents, and the evidence for its consistency.
    """

    manifest: Manifest


def new_snapshot_id(dataset_dir: Path) -> str:
    """Return an id that sorts after all snapshots on disk, also if the clock was set back.

    The order of ids is the order of reading: the caller holds the dataset's lock.
    """
    newest = max((path.name for path in dataset_dir.glob(_WHOLE)), default="")
    return _id(max(datetime.now(UTC), _stamp(newest) + _TICK)) if newest else _id(datetime.now(UTC))


def next_snapshot_id(snapshot: str) -> str:
    """Return an id that sorts right after another snapshot's, for a snapshot made only from that one's rows."""
    return _id(_stamp(snapshot) + _TICK)


def _id(time: datetime) -> str:
    return f"{time:{_STAMP}}-{secrets.token_hex(3)}"


def _stamp(snapshot: str) -> datetime:
    return datetime.strptime(snapshot.partition("-")[0], _STAMP).replace(tzinfo=UTC)


def seal(folder: Path, manifest: Manifest) -> Snapshot:
    """Turn a draft into a snapshot: sync its files, write the manifest, rename the folder.

    Raises:
        StorageError: the disk refused.
    """
    final = folder.with_name(manifest.snapshot)
    with storage_errors("finish", final):
        made = SnapshotFolder(folder)
        for file in (made.data, made.quarantine, made.pages):
            sync_file(file)
        write_durably(folder / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        folder.rename(final)
        sync_folder(final.parent)
    return Snapshot(final, manifest)


def snapshots(parquet_dir: Path, dataset: str) -> list[Snapshot]:
    """Return the complete snapshots of a dataset, oldest first.

    Raises:
        StorageError: a manifest cannot be read.
    """
    return [_load(path) for path in _manifests(parquet_dir, dataset)]


def _manifests(parquet_dir: Path, dataset: str) -> list[Path]:
    """Return the manifests of a dataset's complete snapshots, oldest first."""
    folder = parquet_dir / dataset
    with storage_errors("read", folder):
        return sorted(folder.glob(f"{_WHOLE}/{_MANIFEST}"))


def latest(parquet_dir: Path, dataset: str) -> Snapshot | None:
    """Return the newest complete snapshot of a dataset, if any."""
    found = _manifests(parquet_dir, dataset)
    return _load(found[-1]) if found else None


def readable(found: Iterable[Snapshot]) -> AbstractContextManager[None]:
    """Run a block that reads the files of snapshots; an error names a damaged file.

    Raises:
        StorageError: a file is damaged.
    """
    files = [path for snapshot in found for path in (snapshot.data, snapshot.quarantine, snapshot.pages)]
    return own_files(files, lambda path: _without(path.parent), ("page",))


def _without(folder: Path) -> str:
    return f"Move {folder} away and pull again."


def forget_old(parquet_dir: Path, keep: int, published: Mapping[str, str | None]) -> None:
    """Delete the snapshots of each dataset beyond the newest ones, never a published one.

    Args:
        parquet_dir: the folder of all datasets.
        keep: number of snapshots to keep per dataset.
        published: by dataset, the id of the published snapshot, or None; other datasets are not changed.

    Raises:
        StorageError: the disk refused.
    """
    for name, current in published.items():
        for old in snapshots(parquet_dir, name)[:-keep]:
            if old.manifest.snapshot != current:
                with storage_errors("delete", old.folder):
                    shutil.rmtree(old.folder)


def _load(path: Path) -> Snapshot:
    with storage_errors("read", path):
        content = path.read_bytes()
    try:
        return Snapshot(path.parent, msgspec.json.decode(content, type=Manifest))
    except msgspec.DecodeError as error:
        raise StorageError(f"{path} is damaged ({error}).", _without(path.parent)) from error
