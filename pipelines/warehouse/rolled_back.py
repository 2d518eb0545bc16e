"""Datasets whose published snapshot was chosen by a rollback; imports little, since `status` uses it.

What does not belong here: rolling back (`pull.rollback`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from pipelines.runs.recording import last_of_each
from pipelines.settings import Settings
from pipelines.snapshots import latest
from schemas.own_tables.sync import Manifest, RunRecord


class RolledBack(NamedTuple):
    """A dataset that was rolled back: its published snapshot, and the newest one on disk."""

    published: Manifest
    newest: Manifest

    @property
    def text(self) -> str:
        """The rollback and the next step, as a text for people."""
        name = self.published.dataset
        return (
            f"{name} was rolled back: published is {_shown(self.published)}, the newest is {_shown(self.newest)}. To "
            f"publish that: trackly-sync rollback {name} --to {self.newest.snapshot}, or: trackly-sync pull {name}"
        )


def rolled_back(settings: Settings, pulled: Mapping[str, Manifest]) -> list[RolledBack]:
    """Return every dataset whose published snapshot was chosen by a rollback while a newer one is on disk.

    Args:
        settings: the folders of snapshots and records of runs.
        pulled: by dataset, the manifest of the published snapshot.

    Raises:
        StorageError: a manifest or a run's record cannot be read.
    """
    older = [
        RolledBack(manifest, newest.manifest)
        for name, manifest in pulled.items()
        if (newest := latest(settings.parquet_dir, name)) and newest.manifest.snapshot > manifest.snapshot
    ]
    if not older:
        return []
    done = last_of_each(settings.data_dir, "succeeded")
    return [
        one
        for one in older
        if _chosen(done.get(f"rollback {one.published.dataset}")) == one.published.snapshot
    ]


def _chosen(rollback: RunRecord | None) -> str | None:
    """Return the snapshot that a rollback put back; None without a rollback."""
    return rollback.figures.get("snapshot") if rollback else None


def _shown(manifest: Manifest) -> str:
    return f"{manifest.snapshot} of {manifest.finished_at[:16].replace('T', ' ')} UTC"
