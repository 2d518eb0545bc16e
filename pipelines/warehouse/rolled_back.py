"""Datasets whose published snapshot was chosen by a rollback; imports little, since `status` uses it.

What does not belong here: rolling back (`pull.rollback`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

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
    return [one for one in older if one.published.snapshot in _chosen(one.published.dataset, done)]


def _chosen(name: str, done: Mapping[str, RunRecord]) -> tuple[Any, Any]:
    """Return the snapshots that the last rollbacks put back: of the dataset, and of contacts with their revenue."""
    own, of_revenue = (
        record.figures if (record := done.get(f"rollback {each}")) else {} for each in (name, "revenue")
    )
    return own.get("snapshot"), of_revenue.get(name)


def _shown(manifest: Manifest) -> str:
    return f"{manifest.snapshot} of {manifest.finished_at[:16].replace('T', ' ')} UTC"
