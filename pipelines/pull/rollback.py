"""Uses earlier snapshots again: `rollback` publishes one as it was, `replay` validates its quarantined rows again."""

import shutil
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.alerts.after_run import watched
from pipelines.errors import BusyError, NothingYetError, UsageError
from pipelines.process import interrupts
from pipelines.pull.derived.revenue_source import contacts_to_go_with, rows_with, with_derived
from pipelines.pull.draft import Draft, dataset_lock, draft
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.replies.batches import decode_batch
from pipelines.pull.replies.spool import Spooled
from pipelines.pull.write.earlier_rows import add_passed
from pipelines.pull.write.validate import checked
from pipelines.runs.recording import details, now, recorded
from pipelines.settings import Settings
from pipelines.snapshots import (
    Snapshot,
    next_snapshot_id,
    readable,
    seal,
    snapshots,
)
from pipelines.storage import storage_errors
from pipelines.text.humanize import plural
from pipelines.warehouse.publish import note_runs, publish, republish
from pipelines.warehouse.published import published, published_snapshot
from schemas.own_tables.sync import Manifest, RunRecord
from schemas.registry import PULLED


@watched()
def rollback(settings: Settings, name: str, run: str, to: str | None = None) -> Snapshot:
    """Publish an earlier snapshot again.

    Revenue that is derived from contacts' totals and these contacts are rolled back together, so that their sums
    agree.

    Args:
        settings: see `Settings`.
        name: the dataset.
        run: the run's id.
        to: the snapshot's id; by default the one before the published one.

    Returns:
        The snapshot that is published now.

    Raises:
        UsageError: there is no such snapshot, or it is revenue whose contacts are not kept any more.
        NothingYetError: there is no snapshot at all, or none before the published one.
        StorageError, BusyError: the disk or another process stood in the way; nothing was changed.
    """
    target = to_publish(settings, name, to)
    with recorded(settings.data_dir, run, f"rollback {name}") as record:
        contacts = contacts_to_go_with(settings, target)
        together = [target, contacts] if contacts else interrupts.run(with_derived(settings, [target], run))
        republish(settings, together, _done(record, target, target.manifest.rows, contacts))
        _note(record, target, target.manifest.rows, contacts)
    return target


@watched()
def replay(settings: Settings, name: str, run: str) -> tuple[Snapshot, int]:
    """Validate the published snapshot's quarantined rows again, and publish those that now pass.

    Args:
        settings: see `Settings`.
        name: the dataset.
        run: the run's id.

    Returns:
        The snapshot that is published now, and how many rows passed.

    Raises:
        NothingYetError: nothing is published.
        StorageError, BusyError: the disk or another process stood in the way; nothing was changed.
    """
    before = _published(settings, name)
    with recorded(settings.data_dir, run, f"replay {name}") as record:
        after = interrupts.run(_replayed(settings, before, run))
        passed = after.manifest.rows - before.manifest.rows
        if passed:
            together = interrupts.run(with_derived(settings, [after], run))
            done = publish(settings, together, under_way=_done(record, after, passed))
            if after not in done:  # pragma: no cover - another process publishes between two of our steps
                raise BusyError(
                    f"Another pull of {name} was published meanwhile; nothing was changed.",
                    f"Run it again, if rows are quarantined still: trackly-sync replay {name}",
                )
        _note(record, after, passed)
    if not passed:
        note_runs(settings)
    return after, passed


class KeptSnapshot(NamedTuple):
    """A snapshot on disk, and whether the warehouse holds it now."""

    manifest: Manifest
    published: bool


def kept_snapshots(settings: Settings, names: Collection[str]) -> list[KeptSnapshot]:
    """Return every snapshot that could be published again, by dataset, newest first.

    Raises:
        StorageError: the warehouse or a manifest cannot be read.
    """
    current = {name: manifest.snapshot for name, manifest in published(settings.warehouse).items()}
    return [
        KeptSnapshot(snapshot.manifest, snapshot.manifest.snapshot == current.get(name))
        for name in PULLED
        if name in names
        for snapshot in reversed(snapshots(settings.parquet_dir, name))
    ]


def would_pass(settings: Settings, name: str) -> tuple[int, int]:
    """Return how many quarantined rows `replay` would publish, and how many would stay; change nothing.

    Raises:
        NothingYetError: nothing is published.
        StorageError, BusyError: the disk or another process stood in the way.
    """
    before = _published(settings, name)
    return interrupts.run(_tried(settings, before))


async def _tried(settings: Settings, before: Snapshot) -> tuple[int, int]:
    name, quarantined = before.manifest.dataset, before.manifest.quarantined
    async with dataset_lock(settings.parquet_dir, name):
        snapshot = next_snapshot_id(before.manifest.snapshot)
        with draft(settings.parquet_dir / name, snapshot) as folder:
            left = _with_passed(before, Draft(folder, PULLED[name], snapshot))
    still = quarantined if left is None else left.num_rows
    return quarantined - still, still


def _published(settings: Settings, name: str) -> Snapshot:
    before = published_snapshot(settings, name)
    if before is None:
        raise NothingYetError(f"No snapshot of {name} is published yet.", f"Run: trackly-sync pull {name}")
    return before


def _done(record: RunRecord, snapshot: Snapshot, rows: int, contacts: Snapshot | None = None) -> RunRecord:
    """Return the run record as it will be after the snapshot is published."""
    done = msgspec.structs.replace(record)
    _note(done, snapshot, rows, contacts)
    return done


def _note(record: RunRecord, snapshot: Snapshot, rows: int, contacts: Snapshot | None = None) -> None:
    beside = {"contacts": contacts.manifest.snapshot} if contacts else {}
    record.rows, record.details = rows, details(snapshot=snapshot.manifest.snapshot, **beside)


def to_publish(settings: Settings, name: str, to: str | None = None) -> Snapshot:
    """Return the snapshot that `rollback` would publish; change nothing.

    Args:
        settings: see `Settings`.
        name: the dataset.
        to: the snapshot's id; by default the one before the published one.

    Raises:
        UsageError: there is no such snapshot.
        NothingYetError: there is none at all, or none before the published one.
        StorageError: the warehouse or a manifest cannot be read.
    """
    found = {snapshot.manifest.snapshot: snapshot for snapshot in snapshots(settings.parquet_dir, name)}
    if not found:
        raise NothingYetError(f"There is no snapshot of {name} yet.", f"Run: trackly-sync pull {name}")
    if to is not None:
        if to in found:
            return found[to]
        remedy = f"On disk: {', '.join(found)}. With their times: trackly-sync rollback"
        raise UsageError(f"There is no snapshot {to} of {name}.", remedy)
    current = published(settings.warehouse).get(name)
    before = [one for one in found if current and one < current.snapshot]
    if not before:
        raise _no_earlier(name, current, max(found))
    return found[before[-1]]


def _no_earlier(name: str, current: Manifest | None, newest: str) -> NothingYetError:
    """Return the error with its remedy, if no snapshot on disk is earlier than the published one."""
    again = f"To publish the newest: trackly-sync rollback {name} --to {newest}"
    if current is None:
        return NothingYetError(f"No snapshot of {name} is published.", again)
    if newest > current.snapshot:
        text = f"The published snapshot of {name}, {current.snapshot}, is the earliest on disk."
        return NothingYetError(text, again)
    return NothingYetError(
        f"There is no earlier snapshot of {name} to go back to.",
        f"After another pull there is: trackly-sync pull {name} (TRACKLY_KEEP_SNAPSHOTS says how many are kept).",
    )


def changed_with(settings: Settings, snapshot: Snapshot) -> dict[str, int]:
    """Return the other tables that a rollback to a snapshot changes, each with its new number of rows.

    Raises:
        UsageError: as `rollback`.
        StorageError, BusyError: the disk or another process stood in the way.
    """
    return interrupts.run(rows_with(settings, snapshot))


async def _replayed(settings: Settings, before: Snapshot, run: str) -> Snapshot:
    """Make a snapshot with the rows that now pass, with the age of the one before it.

    Return that one if no row passes.
    """
    name = before.manifest.dataset
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(dataset_lock(settings.parquet_dir, name))
        started_at, snapshot = now(), next_snapshot_id(before.manifest.snapshot)
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        made = Draft(folder, PULLED[name], snapshot, run, started_at)
        left = _with_passed(before, made)
        if left is None:
            return before
        with storage_errors("write", folder):
            pq.write_table(left, made.quarantine)
            shutil.copyfile(before.pages, made.pages)
            shutil.rmtree(made.work)
        passed = before.manifest.quarantined - left.num_rows
        evidence = f"replay of {before.manifest.snapshot}, in which {plural(passed, 'row')} passed"
        return seal(
            folder,
            msgspec.structs.replace(
                before.manifest,
                snapshot=snapshot,
                run=run,
                rows=before.manifest.rows + passed,
                quarantined=left.num_rows,
                evidence=f"{before.manifest.evidence}; {evidence}",
            ),
        )


def _with_passed(before: Snapshot, made: Draft) -> pa.Table | None:
    """Write the data file with the rows that now pass; return the other rows, None if no row passes."""
    made.make_work()
    with readable([before]):
        quarantined = pq.read_table(before.quarantine)
        with storage_errors("write", made.work):
            replies, places = _as_replies(made.dataset.name, quarantined.to_pylist(), made.work)
        batch, _ = checked(made.dataset, decode_batch(made, replies))
        passed = add_passed(before, batch, made)
    return quarantined.filter(pa.array([place not in passed for place in places])) if passed else None


def _as_replies(
    name: str, rows: list[dict[str, Any]], work: Path
) -> tuple[list[Spooled], list[tuple[int, int]]]:
    """Return quarantined rows as replies, one for each page that they came from, and each row's place."""
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
                path=str(path),
                offset=0,
                size=len(body),
                page=page,
                request="replay",
                sent_at=when,
                received_at=when,
                total=None,
            )
        )
    return replies, places
