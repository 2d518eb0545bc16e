"""One dataset's snapshot by reading its endpoint: scan, refine beside it, assemble, judge, seal."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.privacy import KEEP_ALL, PERSONAL, Privacy, hold_to
from pipelines.pull.consistency import hold_to_limit, judge, schema_changes
from pipelines.pull.decode.batches import BATCH_ROWS, Part, joined
from pipelines.pull.decode.columns import arrow_columns, values_of
from pipelines.pull.decode.pool import refining
from pipelines.pull.decode.redact import reader
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.decode.spool import Body, Spool, Spooled
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.read.evidence import Evidence
from pipelines.pull.read.incremental import known_contacts
from pipelines.pull.read.pages import Check, Query
from pipelines.pull.read.scan import scan, scan_new
from pipelines.pull.write.data_file import Output, Rows
from pipelines.pull.write.deduplicate import Assembled, carry_on, conclude
from pipelines.pull.write.odd_times import odd_times
from pipelines.pull.write.validate import checked
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
        intake = _Intake(client, name, run, snapshot, folder, spool, privacy, on_progress)
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
        run: str,
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
        self.odd_times: dict[str, int] = {}
        self._run = run
        self._client = client
        self._endpoint = ENDPOINTS[name]
        self._folder = folder
        self._spool = spool
        self._on_progress = on_progress
        self._replies: list[Spooled] = []
        self._waiting_rows = 0
        self._rows = 0
        self._output = Output(PULLED[name], snapshot, data_file(folder))
        self._to_check: asyncio.Queue[list[asyncio.Future[Part]] | None] = asyncio.Queue()

    async def read(self, concurrency: int, known: Callable[[Seen], bool] | None) -> Evidence:
        """Scan all, or from the top to what is known; refine beside it, and write the snapshot's files."""
        work = self._folder / "work"
        with storage_errors("make", self._folder):
            work.mkdir()
        with closing(self._output):
            async with refining(self.name, self.snapshot, work) as self._refining:
                evidence = await self._scan_and_check(concurrency, known)
            # the process that decodes is let go before files are written
            with ThreadPoolExecutor(1, thread_name_prefix="write") as writing:
                await asyncio.wrap_future(writing.submit(self._write_files, steady=not evidence.drifted))
        return evidence

    async def _scan_and_check(self, concurrency: int, known: Callable[[Seen], bool] | None) -> Evidence:
        self._checking = asyncio.create_task(self._check_parts())
        try:
            if known is None:
                evidence = await scan(self._endpoint, self._fetch, concurrency, self._run)
            else:
                evidence = await scan_new(self._endpoint, self._fetch, known)
            self._cut()
            self._to_check.put_nowait(None)
            await self._checking
        finally:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        return evidence

    async def _fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:
        """Get a reply, from the spool of an interrupted pull if that will do, and keep it."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        request = f"GET {self._endpoint.path}{'?' if asked else ''}{asked}"
        earlier = None if fresh else self._spool.earlier.pop(request, None)
        if earlier is not None:
            try:
                seen = await self._see(earlier, check)
            except Unreadable:
                return await self._fetch(query, check, fresh=True)
            self.resumed += 1
            self._take(earlier, seen)
            return seen

        async def write_and_see(body: bytes) -> tuple[Body, Seen]:
            written = self._spool.write(body)
            return written, await self._see(written, check)

        read = reader(self.privacy, self.name, write_and_see)
        reply = await self._client.get_read(self._endpoint.path, query, read)
        self.retries += reply.attempts - 1
        written, seen = reply.value
        self._take(self._spool.put(request, written, seen.total, reply.sent_at, reply.received_at), seen)
        return seen

    async def _see(self, body: Body, check: Check) -> Seen:
        """Read a reply and have it checked.

        Raises:
            Unreadable: it is not the JSON expected, or not the page.
        """
        seen = await self._refining.read(body)
        try:
            check(seen)
        except Unreadable:
            self._refining.drop(body)
            raise
        return seen

    def _take(self, reply: Spooled, seen: Seen) -> None:
        """Keep a reply, and have a part made when there is enough for one."""
        self._replies.append(reply)
        self._refining.keep(reply)
        self._rows += len(seen.keys)
        self._refining.expect(max(self._rows, seen.total or 0))
        self._waiting_rows += len(seen.keys)
        self._on_progress(self.name, self._rows, reply.total)
        if self._waiting_rows >= BATCH_ROWS:
            self._cut()

    def _cut(self) -> None:
        if self._checking.done():
            self._checking.result()  # a failure there stops the scan here
        self._waiting_rows = 0
        self._to_check.put_nowait(self._refining.cut())

    async def _check_parts(self) -> None:
        """Check parts and hand their rows to the data file; one after the other, beside the scan."""
        # one that is stopped is waited for: it must not write into a folder that is being thrown away
        with ThreadPoolExecutor(1, thread_name_prefix="check") as thread:
            while (parts := await self._to_check.get()) is not None:
                done = thread.submit(self._check, joined([await part for part in parts]))
                self.parts.append(await asyncio.wrap_future(done))

    def _check(self, part: Part) -> Part:
        part, rows = checked(self.name, part, self._replies)
        self._output.add(Rows.of(rows))
        return part

    def _write_files(self, *, steady: bool) -> None:
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
            steady=steady,
        )
        self.odd_times = odd_times(PULLED[self.name], data_file(folder))
        arrays, _ = arrow_columns(
            PAGES, values_of(PAGES, [page for part in self.parts for page in part.pages])
        )
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
        odd_times=", ".join(f"{name} ({count:,})" for name, count in intake.odd_times.items()),
        source=FROM_EVENTS if intake.name == "revenue" else "",
        personal_data=intake.privacy.label,
    )
