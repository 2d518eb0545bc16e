"""One dataset's snapshot by reading its endpoint: scan, refine beside it, assemble, judge, seal."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.pull.assemble import Assembled, assemble
from pipelines.pull.decode import arrow_columns
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.refine import Refinery
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
from pipelines.pull.spool import Spool
from pipelines.runs import details, now, recorded
from pipelines.settings import Settings
from pipelines.storage import storage_errors
from pipelines.trackly.client import Reply, TracklyClient
from pipelines.trackly.pages import Page
from schemas.registry import PULLED
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
        lock = dataset_lock(settings.parquet_dir, name)
        await asyncio.to_thread(stack.enter_context, lock)
        started, snapshot = now(), new_snapshot_id()
        folder = stack.enter_context(draft(settings.parquet_dir / name, snapshot))
        work = folder / "work"
        with storage_errors("make", work):
            work.mkdir(mode=0o700)  # raw rows lie here
        refinery = Refinery(PULLED[name], snapshot, work)
        evidence, retries = await _refined(client, settings.concurrency, refinery, on_progress)
        assembled = await asyncio.to_thread(_write_files, refinery, folder)
        manifest = _manifest(refinery, evidence, assembled, run=run, started=started, retries=retries)
        record.details = details(
            quarantined=manifest.quarantined,
            requests=manifest.requests,
            retries=retries,
            consistency=manifest.consistency,
        )
        _hold_to_limit(manifest, quarantine_file(folder), settings.pull_bad_share)
        shutil.rmtree(work)
        sealed = seal(folder, manifest)
        record.rows = manifest.rows
        return sealed


async def _refined(
    client: TracklyClient, concurrency: int, refinery: Refinery, on_progress: Progress
) -> tuple[Evidence, int]:
    """Scan, refining each reply on a thread beside; returns the evidence and how often was tried again."""
    name = refinery.dataset.name
    spool = Spool(refinery.folder, ENDPOINTS[name])
    waiting: list[Future[None]] = []
    rows = retries = 0

    def refine(total: int | None, add: Callable[[], int]) -> None:
        nonlocal rows
        rows += add()
        on_progress(name, rows, total)

    def deliver(query: Query, reply: Reply[Page]) -> None:
        nonlocal retries
        retries += reply.attempts - 1
        while waiting and waiting[0].done():
            waiting.pop(0).result()  # a failure there stops the scan here
        spooled = spool.put(query, reply)
        waiting.append(worker.submit(refine, spooled.total, lambda: refinery.add(spooled)))

    with ThreadPoolExecutor(1, thread_name_prefix=f"refine-{name}") as worker:
        try:
            evidence = await scan(client, ENDPOINTS[name], deliver, concurrency)
            for one in waiting:
                await asyncio.wrap_future(one)
        except BaseException:
            worker.shutdown(wait=False, cancel_futures=True)
            raise
    return evidence, retries


def _write_files(refinery: Refinery, folder: Path) -> Assembled:
    refinery.flush()
    assembled = assemble(refinery, data_file(folder), quarantine_file(folder))
    arrays, _ = arrow_columns(PAGES, refinery.pages)
    with storage_errors("write", folder):
        pages = pa.Table.from_arrays(arrays, names=list(PAGES.columns))
        pq.write_table(pages, pages_file(folder), compression="zstd")
    return assembled


def _manifest(
    refinery: Refinery, evidence: Evidence, assembled: Assembled, *, run: str, started: str, retries: int
) -> Manifest:
    name = refinery.dataset.name
    pulled = assembled.rows + assembled.quarantined
    consistency, why = _judge(evidence, pulled)
    return Manifest(
        dataset=name,
        snapshot=refinery.snapshot,
        run=run,
        started_at=started,
        finished_at=now(),
        rows=assembled.rows,
        quarantined=assembled.quarantined,
        consistency=consistency,
        evidence=why,
        requests=evidence.requests,
        extra_requests=evidence.extra_requests,
        retries=retries,
        total=evidence.total,
        unknown_fields=", ".join(sorted(refinery.unknown)),
        source=FROM_EVENTS if name == "revenue" else "",
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
