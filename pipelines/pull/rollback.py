"""Earlier snapshots put to use again: `rollback` publishes one as it was, `replay` validates what it set aside."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import stopping
from pipelines.errors import BusyError, UsageError
from pipelines.pull.decode.decoder import refine
from pipelines.pull.decode.spool import Spooled
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.run import with_derived
from pipelines.pull.write.deduplicate import mend
from pipelines.pull.write.validate import checked
from pipelines.runs import now, recorded
from pipelines.settings import Settings
from pipelines.snapshots import (
    Snapshot,
    data_file,
    dataset_lock,
    draft,
    next_snapshot_id,
    pages_file,
    quarantine_file,
    seal,
    snapshots,
)
from pipelines.storage import storage_errors
from pipelines.warehouse.publish import publish, republish
from pipelines.warehouse.published import published_snapshot
from pipelines.watched import watched


@watched()
def rollback(settings: Settings, name: str, run: str, to: str | None = None) -> Snapshot:
    """Publish an earlier snapshot again.

    Revenue that is derived from contacts' totals goes with them, so that their sums agree.

    Args:
        settings: see `Settings`.
        name: the dataset.
        run: the run's id.
        to: the snapshot's id; by default the one before the published one.

    Returns:
        What is published now.

    Raises:
        UsageError: there is no such snapshot.
        StorageError, BusyError: the disk or another process stood in the way; nothing was changed.
    """
    target = _earlier(settings, name, to)
    with recorded(settings.data_dir, run, f"rollback {name}") as record:
        republish(settings, stopping.run(with_derived(settings, [target], run)))
        record.rows = target.manifest.rows
        return target


@watched()
def replay(settings: Settings, name: str, run: str) -> tuple[Snapshot, int]:
    """Validate the published snapshot's quarantined rows again, and publish those that now pass.

    Returns:
        What is published now, and how many rows passed.

    Raises:
        UsageError: nothing is published.
        StorageError, BusyError: the disk or another process stood in the way; nothing was changed.
    """
    before = published_snapshot(settings, name)
    if before is None:
        raise UsageError(f"No snapshot of {name} is published.", f"Run: trackly-sync pull {name}")
    with recorded(settings.data_dir, run, f"replay {name}") as record:
        after = stopping.run(_mended(settings, before, run))
        passed = after.manifest.rows - before.manifest.rows
        if passed:
            done = publish(settings, stopping.run(with_derived(settings, [after], run)))
            if after not in done:
                raise BusyError(
                    f"Another pull of {name} was published meanwhile; nothing was changed.",
                    f"Run it again, if rows are quarantined still: trackly-sync replay {name}",
                )
        record.rows = passed
        return after, passed


def _earlier(settings: Settings, name: str, to: str | None) -> Snapshot:
    found = snapshots(settings.parquet_dir, name)
    if to is not None:
        for snapshot in found:
            if snapshot.manifest.snapshot == to:
                return snapshot
        kept = ", ".join(snapshot.manifest.snapshot for snapshot in found) or "none"
        raise UsageError(f"There is no snapshot {to} of {name}.", f"On disk: {kept}.")
    current = published_snapshot(settings, name)
    before = [s for s in found if current and s.manifest.snapshot < current.manifest.snapshot]
    if not before:
        raise UsageError(
            f"There is no earlier snapshot of {name} to go back to.", "Pull at least twice first."
        )
    return before[-1]


async def _mended(settings: Settings, before: Snapshot, run: str) -> Snapshot:
    """A new snapshot with the rows that now pass; the old one where none does."""
    manifest = before.manifest
    name = manifest.dataset
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(dataset_lock(settings.parquet_dir, name))
        started, snapshot = now(), next_snapshot_id(manifest.snapshot)
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        work = folder / "work"
        aside = pq.read_table(before.quarantine)
        with storage_errors("write", work):
            work.mkdir(mode=0o700)
            replies, places = _as_replies(name, aside.to_pylist(), work)
        part, _ = checked(name, refine(name, snapshot, replies, work), replies)
        passed = mend(name, before, part, data_file(folder))
        if not passed:
            return before
        left = aside.filter(pa.array([place not in passed for place in places]))
        with storage_errors("write", folder):
            pq.write_table(left, quarantine_file(folder))
            shutil.copyfile(before.pages, pages_file(folder))
            shutil.rmtree(work)
        return seal(
            folder,
            msgspec.structs.replace(
                manifest,
                snapshot=snapshot,
                run=run,
                started_at=started,
                finished_at=now(),
                rows=manifest.rows + len(passed),
                quarantined=left.num_rows,
                evidence=f"{manifest.evidence}; replay of {manifest.snapshot}, in which {len(passed):,} rows passed",
            ),
        )


def _as_replies(
    name: str, rows: list[dict[str, Any]], work: Path
) -> tuple[list[Spooled], list[tuple[int, int]]]:
    """Quarantined rows as replies, one for each page that they came from, and the place of each row in them."""
    pages: dict[int, list[dict[str, Any]]] = {}
    places = []
    for row in rows:
        of_page = pages.setdefault(row["page"], [])
        places.append((row["page"], len(of_page)))
        of_page.append(row)
    replies = []
    for page, of_page in pages.items():
        body = msgspec.json.encode(
            {ENDPOINTS[name].envelope: [msgspec.Raw(row["raw"].encode()) for row in of_page]}
        )
        path = work / f"{page}.json"
        path.write_bytes(body)
        when = of_page[0]["synced_at"]
        replies.append(
            Spooled(
                str(path),
                0,
                len(body),
                page=page,
                request="replay",
                sent_at=when,
                received_at=when,
                total=None,
            )
        )
    return replies, places
