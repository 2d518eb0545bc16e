"""Makes one dataset's snapshot by reading its endpoint: scan and write concurrently, prove, judge, seal.

What does not belong here: replies (`pull.replies`), files (`write.snapshot_files`), several datasets and publishing
(`run`).
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec

from pipelines.errors import NotEnabledError, NotFoundError, TracklySyncError
from pipelines.privacy import KEEP_ALL, PERSONAL, Privacy, hold_to
from pipelines.pull.bad_rows_limit import hold_to_limit
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.draft import Draft, dataset_lock, draft
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.manifest import figures_of, manifest_of
from pipelines.pull.read.chain import Evidence
from pipelines.pull.read.incremental import known_contacts, scan_new
from pipelines.pull.read.scan import scan
from pipelines.pull.replies.batches import BATCH_ROWS
from pipelines.pull.replies.fetch import Progress, Replies, silent
from pipelines.pull.replies.spool import Spool
from pipelines.pull.write.earlier_rows import carry_on
from pipelines.pull.write.snapshot_files import RowsWritten, write_rows
from pipelines.runs.recording import Skipped, now, recorded
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, new_snapshot_id, seal
from pipelines.trackly.client import TracklyClient
from pipelines.warehouse.published import published, published_rows
from schemas.own_tables.sync import Manifest, RunRecord
from schemas.registry import OPTIONAL, PULLED


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of a snapshot.

    Attributes:
        since_last: read only contacts that have signed up since the published snapshot.
        skip_unserved: raise Skipped if the account does not serve the dataset.
        batch_rows: least number of rows written at once.
        unless: called before anything is locked or read; if it returns a snapshot, nothing is read.
        instead: called with a fuzzy snapshot that was read; if it returns another snapshot, that one is used.
    """

    since_last: bool = False
    skip_unserved: bool = False
    batch_rows: int = BATCH_ROWS
    unless: "Callable[[], Awaitable[Snapshot | None]] | None" = None
    instead: "Callable[[Draft, Manifest], Awaitable[Snapshot | None]] | None" = None


async def make_snapshot(
    client: TracklyClient,
    settings: Settings,
    name: str,
    run: str,
    on_progress: Progress = silent,
    options: ReadOptions = ReadOptions(),
) -> Snapshot:
    """Make a dataset's snapshot; nothing is published.

    Args:
        client: an open client.
        settings: see `Settings`.
        name: the dataset.
        run: the run's id.
        on_progress: see `Progress`.
        options: see `ReadOptions`.

    Raises:
        UsageError: `since_last`, and no contacts are published.
        AccessError, RequestError, ServiceError: the API did not give all data; the next pull uses the replies that it
            gave.
        DataError: more bad rows than `settings.pull_bad_share` allows.
        StorageError, BusyError: the disk or another pull stood in the way.
        Skipped: the account does not serve the dataset, and `options` allow this.
    """
    async with AsyncExitStack() as stack:
        record = stack.enter_context(recorded(settings.data_dir, run, f"pull {name}"))
        if options.unless and (other := await options.unless()):
            return _noted(record, other)
        await stack.enter_async_context(dataset_lock(settings.parquet_dir, name))
        asked_again = await _ask_whether_served(client, settings, name) if options.skip_unserved else 0
        started_at, snapshot = now(), new_snapshot_id(settings.parquet_dir / name)
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        made = Draft(folder, PULLED[name], snapshot, run, started_at)
        manifest = await _read_into(made, client, settings, asked_again, on_progress, options)
        record.rows, record.details = manifest.rows, figures_of(manifest)
        pulled = manifest.rows - manifest.carried + manifest.quarantined
        on_progress(name, pulled, pulled)
        other = await options.instead(made, manifest) if options.instead and manifest.is_fuzzy else None
        return _noted(record, other) if other else _finished(settings, made, manifest)


async def _read_into(
    made: Draft,
    client: TracklyClient,
    settings: Settings,
    asked_again: int,
    on_progress: Progress,
    options: ReadOptions,
) -> Manifest:
    """Read a dataset and write its files; if interrupted, its replies stay on disk for the next pull.

    Args:
        made: the snapshot, whose folder is empty.
        client: an open client.
        settings: see `Settings`.
        asked_again: requests that were tried again before this.
        on_progress: see `Progress`.
        options: see `ReadOptions`.

    Returns:
        The manifest: the contents of the files and their consistency.
    """
    name = made.dataset.name
    privacy = _privacy(settings, name)
    with (
        closing(_spool(settings, name, privacy)) as spool,
        known_contacts(settings) if options.since_last else nullcontext() as known,
    ):
        replies = Replies(client, name, privacy, spool, options.batch_rows, on_progress)
        replies.retries = asked_again
        reading = _read(replies, made, settings.concurrency, known)
        with _skipping(settings, name, (NotEnabledError,) if options.skip_unserved else ()):
            evidence, written = await _side_by_side(reading, write_rows(made, replies.batches()))
        files = await written.conclude(steady=not (evidence.drifted or options.since_last))
        before = published(settings.warehouse).get(name)
        manifest = manifest_of(made, files, evidence, replies, privacy, before)
        spool.discard()
    return manifest


def _noted(record: RunRecord, other: Snapshot) -> Snapshot:
    """Return a snapshot that was made without reading, after it was recorded."""
    record.rows, record.details = other.manifest.rows, figures_of(other.manifest)
    return other


async def _ask_whether_served(client: TracklyClient, settings: Settings, name: str) -> int:
    """Request one row of a dataset that an account may not serve: its API may be older, or lack the product.

    Returns:
        The number of retries.

    Raises:
        Skipped: with the account's answer, if it does not serve the dataset.
        AccessError, RequestError, ServiceError: another fault.
    """
    if name not in OPTIONAL:
        return 0
    endpoint = ENDPOINTS[name]
    numbers: dict[str, str | int] = {"page": 1, "per_page": 1} if endpoint.largest else {}
    with _skipping(settings, name, (NotFoundError, NotEnabledError)):
        # the body is not checked here: the scan will read it
        reply = await client.get(endpoint.path, {**endpoint.filters[0], **numbers}, len)
    return reply.attempts - 1


@contextmanager
def _skipping(settings: Settings, name: str, errors: tuple[type[TracklySyncError], ...]) -> Iterator[None]:
    """Turn some errors into Skipped: the account does not serve the dataset.

    If it did before, the record has a warning.

    Raises:
        Skipped: one of them was raised.
    """
    try:
        yield
    except errors as error:
        before = published(settings.warehouse).get(name)
        stays = f"what is published is as of {before.finished_at[:16]}" if before else ""
        warning = f"{name} was not pulled, since the account no longer serves it; {stays}." if before else ""
        raise Skipped(error.message, warning) from None


def _finished(settings: Settings, made: Draft, manifest: Manifest) -> Snapshot:
    """Put a snapshot in place, if it is good enough.

    Raises:
        DataError: more bad rows than `settings.pull_bad_share` allows.
        StorageError: the disk refused.
    """
    hold_to_limit(manifest, made.quarantine, settings.pull_bad_share)
    if manifest.is_fuzzy:
        manifest = _carried_on(settings, made, manifest)
    shutil.rmtree(made.work)
    return seal(made.folder, manifest)


def _privacy(settings: Settings, name: str) -> Privacy:
    """Return which personal data is kept; for datasets about people, the same as in the published data."""
    privacy = Privacy.of(settings)
    before = published(settings.warehouse).get(name) if name in PERSONAL else None
    if before:
        hold_to(privacy, before.personal_data)
    return privacy if name in PERSONAL else KEEP_ALL


def _spool(settings: Settings, name: str, privacy: Privacy) -> Spool:
    """Open the dataset's spool; replies of another account, or with other personal data, are not used."""
    account = f"{settings.base_url} {settings.require_key()}"
    return Spool.open(settings.parquet_dir / name / ".spool", f"{account} {privacy.label}")


async def _read(
    replies: Replies, made: Draft, concurrency: int, known: Callable[[Seen], bool] | None
) -> Evidence:
    """Read all rows, or from the top to known rows.

    Args:
        replies: gets and keeps them.
        made: the snapshot that is being made.
        concurrency: how many requests to keep under way.
        known: returns whether the last row of a reply is known; None to read all rows.
    """
    endpoint = ENDPOINTS[made.dataset.name]
    if known is None:
        evidence = await scan(endpoint, replies.fetch, concurrency, made.run)
    else:
        evidence = await scan_new(endpoint, replies.fetch, known)
    await replies.end()
    return evidence


async def _side_by_side(
    reading: Coroutine[Any, Any, Evidence], writing: Coroutine[Any, Any, RowsWritten]
) -> tuple[Evidence, RowsWritten]:
    """Read and write until both are done; if one fails, stop the other and wait for it."""
    tasks = asyncio.create_task(reading), asyncio.create_task(writing)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _carried_on(settings: Settings, made: Draft, manifest: Manifest) -> Manifest:
    """Add the published rows that a fuzzy snapshot did not see, since it removes nothing."""
    with published_rows(settings, manifest.dataset, made.folder) as before:
        if before is None:
            return manifest
        carried = carry_on(made, before)
    return msgspec.structs.replace(manifest, rows=manifest.rows + carried, carried=carried)
