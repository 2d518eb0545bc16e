"""One dataset's snapshot by reading its endpoint: scan, refine beside it, assemble, judge, seal."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.pull.assemble import Assembled, assemble
from pipelines.pull.decode import arrow_columns
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.refine import BATCH_ROWS, Part
from pipelines.pull.scan import Evidence, Query, scan
from pipelines.pull.snapshot import (
    Snapshot,
    data_file,
    dataset_lock,
    draft,
    new_snapshot_id,
    pages_file,
    quarantine_file,
    seal,
)
from pipelines.pull.spool import Spool, Spooled
from pipelines.pull.workers import Submit, refining
from pipelines.runs import details, now, recorded
from pipelines.settings import Settings
from pipelines.storage import storage_errors
from pipelines.trackly.client import Reply, TracklyClient
from pipelines.trackly.pages import Page
from schemas.revenue import FROM_EVENTS
from schemas.sync import PAGES, Consistency, Manifest

Progress = Callable[[str, int, int | None], None]
"""Called with (dataset, rows read so far, rows expected if known), from any thread."""

_REASONS_SHOWN = 3


def silent(dataset: str, rows: int, expected: int | None) -> None:
    """Progress that nobody watches."""


async def scanned(
    client: TracklyClient, settings: Settings, name: str, run: str, on_progress: Progress
) -> Snapshot:
    """Make a dataset's snapshot; nothing is published.

    Raises:
        AccessError, RequestError, ServiceError: the API did not give what was asked for.
        DataError: more bad rows than `settings.pull_bad_share` allows.
        StorageError, BusyError: the disk or another pull stood in the way.
    """
    with ExitStack() as stack:
        record = stack.enter_context(recorded(settings.data_dir, run, f"pull {name}"))
        await asyncio.to_thread(stack.enter_context, dataset_lock(settings.parquet_dir, name))
        started, snapshot = now(), new_snapshot_id()
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        work = folder / "work"
        with storage_errors("make", work):
            work.mkdir(mode=0o700)  # raw rows lie here
        intake = _Intake(name, snapshot, work, on_progress)
        evidence = await intake.read(client, settings.concurrency)
        manifest = _manifest(intake, evidence, run, started)
        record.rows = manifest.rows
        record.details = details(
            quarantined=manifest.quarantined,
            requests=manifest.requests,
            retries=manifest.retries,
            consistency=manifest.consistency,
        )
        _hold_to_limit(manifest, quarantine_file(folder), settings.pull_bad_share)
        shutil.rmtree(work)
        return seal(folder, manifest)


class _Intake:
    """Replies on their way from the scan to the snapshot's files."""

    def __init__(self, name: str, snapshot: str, work: Path, on_progress: Progress) -> None:
        self.name = name
        self.snapshot = snapshot
        self.retries = 0
        self.parts: list[Part] = []
        self.assembled = Assembled(0, 0)
        self._work = work
        self._on_progress = on_progress
        self._spool = Spool(work, ENDPOINTS[name])
        self._replies: list[Spooled] = []
        self._refined = 0
        self._waiting_rows = 0
        self._rows = 0
        self._jobs: list[Future[Part]] = []
        self._stack = ExitStack()
        self._refine: Submit | None = None

    async def read(self, client: TracklyClient, concurrency: int) -> Evidence:
        """Scan, refine beside it, and write the snapshot's files."""
        with self._stack:
            evidence = await scan(client, ENDPOINTS[self.name], self._take, concurrency)
            self._submit(None)
            self.parts = [await asyncio.wrap_future(job) for job in self._jobs]
        await asyncio.to_thread(self._write_files)
        return evidence

    def _take(self, query: Query, reply: Reply[Page], rows: int) -> None:
        """Spool a reply, and have what waits refined when it is enough for a batch."""
        total = reply.value.total
        self.retries += reply.attempts - 1
        self._replies.append(self._spool.put(query, reply))
        self._rows += rows
        self._waiting_rows += rows
        self._on_progress(self.name, self._rows, total)
        if self._waiting_rows >= BATCH_ROWS:
            self._submit(total)

    def _submit(self, total: int | None) -> None:
        for job in self._jobs:
            if job.done():
                job.result()  # a failure there stops the scan here
        if self._refine is None:
            self._refine = self._stack.enter_context(refining(total))
        batch = self._replies[self._refined :]
        self._jobs.append(self._refine(self.name, self.snapshot, len(self._jobs), batch, self._work))
        self._refined = len(self._replies)
        self._waiting_rows = 0

    def _write_files(self) -> None:
        folder = self._work.parent
        self.assembled = assemble(
            self.name, self.snapshot, self.parts, self._replies, data_file(folder), quarantine_file(folder)
        )
        arrays, _ = arrow_columns(PAGES, [page for part in self.parts for page in part.pages])
        with storage_errors("write", folder):
            pages = pa.Table.from_arrays(arrays, names=list(PAGES.columns))
            pq.write_table(pages, pages_file(folder), compression="zstd")


def _manifest(intake: _Intake, evidence: Evidence, run: str, started: str) -> Manifest:
    assembled = intake.assembled
    pulled = assembled.rows + assembled.quarantined
    consistency, why = _judge(evidence, pulled)
    return Manifest(
        dataset=intake.name,
        snapshot=intake.snapshot,
        run=run,
        started_at=started,
        finished_at=now(),
        rows=assembled.rows,
        quarantined=assembled.quarantined,
        consistency=consistency,
        evidence=why,
        requests=evidence.requests,
        extra_requests=evidence.extra_requests,
        retries=intake.retries,
        total=evidence.total,
        unknown_fields=", ".join(sorted(frozenset[str]().union(*(part.unknown for part in intake.parts)))),
        source=FROM_EVENTS if intake.name == "revenue" else "",
    )


def _judge(evidence: Evidence, pulled: int) -> tuple[Consistency, str]:
    """The claim that the evidence supports, and the evidence in words."""
    claimed = "no total given" if evidence.total is None else f"{evidence.total:,} rows claimed by the API"
    numbers = f"{pulled:,} distinct rows read, {claimed}, {evidence.requests:,} replies"
    if not evidence.complete:
        return Consistency.FUZZY, "; ".join([numbers, *evidence.notes])
    if evidence.drifted:
        extra = f"{evidence.extra_requests:,} of them to look again"
        return (
            Consistency.REPAIRED,
            f"{numbers}, {extra}; the account changed, every reply shares a row with the next",
        )
    if evidence.total not in (None, pulled):
        return Consistency.FUZZY, f"{numbers}; the two do not agree and nothing was seen to change"
    return Consistency.EXACT, f"{numbers}; nothing was seen to change"


def _hold_to_limit(manifest: Manifest, quarantine: Path, limit: float) -> None:
    """Refuse a snapshot with too many bad rows.

    Raises:
        DataError: naming the most common reasons.
    """
    if manifest.bad_share <= limit:
        return
    reasons = Counter(pq.read_table(quarantine, columns=["reason"])["reason"].to_pylist())
    common = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(_REASONS_SHOWN))
    pulled = manifest.rows + manifest.quarantined
    raise DataError(
        f"{manifest.dataset}: {manifest.quarantined:,} of {pulled:,} rows ({manifest.bad_share:.1%}) are bad, the "
        f"limit is {limit:.1%}; nothing was published. Most common: {common}.",
        "Have the rows mended in Trackly, or raise TRACKLY_PULL_BAD_SHARE.",
    )
