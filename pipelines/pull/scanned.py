"""One dataset's snapshot by reading its endpoint: scan, refine beside it, assemble, judge, seal."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.privacy import KEEP_ALL, PERSONAL, Privacy, hold_to
from pipelines.pull.assemble import Assembled, carry_on, conclude
from pipelines.pull.check import checked
from pipelines.pull.decode import arrow_columns
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.evidence import Evidence
from pipelines.pull.identity import Keys, Seen
from pipelines.pull.judge import hold_to_limit, judge, schema_changes
from pipelines.pull.known import known_contacts
from pipelines.pull.output import Output, Rows
from pipelines.pull.refine import BATCH_ROWS, Part
from pipelines.pull.scan import scan, scan_new
from pipelines.pull.slices import Query
from pipelines.pull.spool import Spool, Spooled
from pipelines.pull.workers import Submit, refining
from pipelines.runs import details, now, recorded
from pipelines.settings import Settings
from pipelines.snapshots import (
    Snapshot,
    data_file,
    dataset_lock,
    draft,
    new_snapshot_id,
    pages_file,
    quarantine_file,
    seal,
)
from pipelines.storage import storage_errors
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.salvage import tolerant
from pipelines.warehouse.published import published, published_rows
from schemas.registry import PULLED
from schemas.revenue import FROM_EVENTS
from schemas.sync import PAGES, Consistency, Manifest

_log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset, rows read so far, rows expected if known), from any thread."""


def silent(dataset: str, rows: int, expected: int | None) -> None:
    """Progress that nobody watches."""


async def scanned(
    client: TracklyClient,
    settings: Settings,
    name: str,
    run: str,
    on_progress: Progress,
    *,
    since_last: bool = False,
) -> Snapshot:
    """Make a dataset's snapshot; nothing is published.

    Args:
        client: an open client.
        settings: see `Settings`.
        name: the dataset.
        run: the run's id.
        on_progress: see `Progress`.
        since_last: of contacts, read only what has signed up since the published snapshot.

    Raises:
        UsageError: `since_last`, and no contacts are published.
        AccessError, RequestError, ServiceError: the API did not give what was asked for; what it gave is taken
            up by the next pull.
        DataError: more bad rows than `settings.pull_bad_share` allows.
        StorageError, BusyError: the disk or another pull stood in the way.
    """
    async with AsyncExitStack() as stack:
        record = stack.enter_context(recorded(settings.data_dir, run, f"pull {name}"))
        await stack.enter_async_context(dataset_lock(settings.parquet_dir, name))
        privacy = _privacy(settings, name)
        started, snapshot = now(), new_snapshot_id(settings.parquet_dir / name)
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        account = f"{settings.base_url} {settings.require_key()}"
        spool = Spool.open(settings.parquet_dir / name / ".spool", f"{account} {privacy.label}")
        stack.callback(spool.close)
        intake = _Intake(client, name, snapshot, folder, spool, privacy, on_progress)
        known = stack.enter_context(known_contacts(settings)) if since_last else None
        evidence = await intake.read(settings.concurrency, known)
        before = published(settings.warehouse).get(name)
        manifest = _manifest(intake, evidence, run, started, before)
        record.rows = manifest.rows
        record.details = details(
            quarantined=manifest.quarantined,
            requests=manifest.requests,
            retries=manifest.retries,
            resumed=manifest.resumed,
            consistency=manifest.consistency,
            schema_changes=manifest.schema_changes,
        )
        if manifest.quarantined:
            _log.info(
                "%s: %d rows are quarantined",
                name,
                manifest.quarantined,
                extra={"event": "quarantine", "dataset": name, "rows": manifest.quarantined},
            )
        spool.discard()
        hold_to_limit(manifest, quarantine_file(folder), settings.pull_bad_share)
        if manifest.consistency == Consistency.FUZZY:
            manifest = _carried_on(settings, folder, manifest)
        shutil.rmtree(folder / "work")
        return seal(folder, manifest)


def _privacy(settings: Settings, name: str) -> Privacy:
    """What is to be kept of personal data: for datasets about people the same as in what is published."""
    privacy = Privacy.of(settings)
    before = published(settings.warehouse).get(name) if name in PERSONAL else None
    if before:
        hold_to(privacy, before.personal_data)
    return privacy if name in PERSONAL else KEEP_ALL


def _carried_on(settings: Settings, folder: Path, manifest: Manifest) -> Manifest:
    """A fuzzy snapshot removes nothing: what it did not see stays as it was published."""
    with published_rows(settings, manifest.dataset, folder) as before:
        if before is None:
            return manifest
        carried = carry_on(manifest.dataset, data_file(folder), before)
    return msgspec.structs.replace(manifest, rows=manifest.rows + carried, carried=carried)


class _Intake:
    """Replies on their way from the API to the snapshot's files."""

    def __init__(
        self,
        client: TracklyClient,
        name: str,
        snapshot: str,
        folder: Path,
        spool: Spool,
        privacy: Privacy,
        on_progress: Progress,
    ) -> None:
        self.name = name
        self.snapshot = snapshot
        self.privacy = privacy
        self.retries = 0
        self.resumed = 0
        self.parts: list[Part] = []
        self.assembled = Assembled(0, 0)
        self._client = client
        self._endpoint = ENDPOINTS[name]
        self._folder = folder
        self._spool = spool
        self._on_progress = on_progress
        self._replies: list[Spooled] = []
        self._refined = 0
        self._waiting_rows = 0
        self._rows = 0
        self._keys: dict[int, Keys] = {}
        self._jobs: list[Future[Part]] = []
        self._stack = ExitStack()
        self._refine: Submit | None = None
        self._output = Output(PULLED[name], snapshot, data_file(folder))

    async def read(self, concurrency: int, known: Callable[[Seen], bool] | None) -> Evidence:
        """Scan all, or from the top to what is known; refine beside it, and write the snapshot's files."""
        with storage_errors("make", self._folder):
            (self._folder / "work").mkdir()
        with closing(self._output):
            evidence = await self._read_all(concurrency, known)
            await asyncio.to_thread(self._write_files)
        return evidence

    async def _read_all(self, concurrency: int, known: Callable[[Seen], bool] | None) -> Evidence:
        """Scan, and wait until all of it is refined; the process that decodes is let go before files are written."""
        with self._stack:
            self._checking = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="check"))
            if known is None:
                evidence = await scan(self._endpoint, self._fetch, concurrency)
            else:
                evidence = await scan_new(self._endpoint, self._fetch, known)
            self._submit(None)
            self.parts = [await asyncio.wrap_future(job) for job in self._jobs]
        return evidence

    async def _fetch(self, query: Query, read: Callable[[bytes], Seen], *, fresh: bool) -> Seen:
        """Get a reply, from the spool of an interrupted pull if that will do, and keep it."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        request = f"GET {self._endpoint.path}{'?' if asked else ''}{asked}"
        earlier = None if fresh else self._spool.earlier.pop(request, None)
        if earlier is not None:
            try:
                seen = read(earlier.read())
            except Unreadable:
                return await self._fetch(query, read, fresh=True)
            self.resumed += 1
            self._take(earlier, seen.keys)
            return seen
        filtered = self.privacy.reader(self.name, self._endpoint.envelope, read)
        reader = tolerant(filtered, self._endpoint.envelope)
        reply = await self._client.get(self._endpoint.path, query, reader)
        self.retries += reply.attempts - 1
        seen = reply.value
        kept = self._spool.put(request, seen.body, seen.total, reply.sent_at, reply.received_at)
        self._take(kept, seen.keys)
        return seen

    def _take(self, reply: Spooled, keys: Keys) -> None:
        """Have what waits refined when it is enough for a batch."""
        self._replies.append(reply)
        self._keys[reply.page] = keys
        self._rows += len(keys)
        self._waiting_rows += len(keys)
        self._on_progress(self.name, self._rows, reply.total)
        if self._waiting_rows >= BATCH_ROWS:
            self._submit(reply.total)

    def _submit(self, total: int | None) -> None:
        for job in self._jobs:
            if job.done():
                job.result()  # a failure there stops the scan here
        if self._refine is None:
            self._refine = self._stack.enter_context(refining(total))
        batch, keys = self._replies[self._refined :], self._keys
        work = self._folder / "work"
        refined = self._refine(self.name, self.snapshot, len(self._jobs), batch, work)
        self._jobs.append(self._checking.submit(self._finish, refined, batch, keys))
        self._refined = len(self._replies)
        self._waiting_rows, self._keys = 0, {}

    def _finish(self, refined: "Future[Part]", replies: Sequence[Spooled], keys: Mapping[int, Keys]) -> Part:
        """Check a part and hand its rows to the data file; one part after the other, beside the scan."""
        part, rows = checked(self.name, refined.result(), replies)
        self._output.add(Rows.of(rows, keys))
        return part

    def _write_files(self) -> None:
        folder = self._folder
        self._output.finish()
        self.assembled = conclude(
            self.name,
            self.snapshot,
            self.parts,
            self._replies,
            data_file(folder),
            self._output.rows,
            quarantine_file(folder),
        )
        arrays, _ = arrow_columns(PAGES, [page for part in self.parts for page in part.pages])
        with storage_errors("write", folder):
            pages = pa.Table.from_arrays(arrays, names=list(PAGES.columns))
            pq.write_table(pages, pages_file(folder), compression="zstd")


def _manifest(
    intake: _Intake, evidence: Evidence, run: str, started: str, before: Manifest | None
) -> Manifest:
    assembled = intake.assembled
    pulled = assembled.rows + assembled.quarantined
    consistency, why = judge(evidence, pulled)
    unknown = frozenset[str]().union(*(part.unknown for part in intake.parts))
    absent = [part.missing for part in intake.parts if part.missing is not None]
    missing = frozenset.intersection(*absent) if absent else frozenset[str]()
    if intake.resumed:
        why += f"; {intake.resumed:,} replies are of an interrupted pull"
        consistency = Consistency.REPAIRED if consistency == Consistency.EXACT else consistency
    return Manifest(
        dataset=intake.name,
        snapshot=intake.snapshot,
        run=run,
        started_at=min([started, *(page.sent_at for part in intake.parts for page in part.pages)]),
        finished_at=now(),
        rows=assembled.rows,
        quarantined=assembled.quarantined,
        consistency=consistency,
        evidence=why,
        requests=evidence.requests,
        extra_requests=evidence.extra_requests,
        resumed=intake.resumed,
        retries=intake.retries,
        total=evidence.total,
        unknown_fields=", ".join(sorted(unknown)),
        missing_fields=", ".join(sorted(missing)),
        schema_changes=schema_changes(before, unknown, missing),
        source=FROM_EVENTS if intake.name == "revenue" else "",
        personal_data=intake.privacy.label,
    )
