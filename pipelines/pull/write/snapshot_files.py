"""Writes the files of a snapshot from batches of replies: rows during the scan, the rest after it.

    write_rows ─▶ RowsWritten.conclude ─▶ SnapshotFiles

What does not belong here: the single steps (`validate`, `data_file`, `deduplicate`, `odd_times`), and the manifest
(`pull.snapshot`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.decode.column_values import arrow_columns
from pipelines.pull.decode.columns import values_of
from pipelines.pull.draft import Draft
from pipelines.pull.replies.batches import Batch, StoredReply, write_batch
from pipelines.pull.write.data_file import DataFile, Rows, Written
from pipelines.pull.write.deduplicate import conclude
from pipelines.pull.write.odd_times import odd_times
from pipelines.pull.write.validate import checked
from pipelines.storage import storage_errors
from schemas.own_tables.sync import PAGES, PageRow


@dataclass(frozen=True, slots=True)
class SnapshotFiles:
    """The contents of a snapshot's files.

    Attributes:
        rows: number of rows to publish.
        quarantined: number of quarantined rows.
        pages: one row of sync.pages per reply.
        unknown: names of fields that the contract does not know.
        missing: names of fields that no row carried.
        odd_times: number of rows with an implausible time, by column.
    """

    rows: int
    quarantined: int
    pages: Sequence[PageRow]
    unknown: frozenset[str]
    missing: frozenset[str]
    odd_times: dict[str, int]


@dataclass(frozen=True, slots=True)
class RowsWritten:
    """A data file with every row of a scan, not proved yet: some rows may be there twice."""

    _draft: Draft
    _batches: Sequence[Batch]
    _written: Written

    async def conclude(self, *, steady: bool) -> SnapshotFiles:
        """Prove the data file, and write the other files.

        Args:
            steady: whether the account was not seen to change.

        Raises:
            StorageError: the disk refused.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="write") as thread:
            return await asyncio.wrap_future(thread.submit(self._conclude, steady=steady))

    def _conclude(self, *, steady: bool) -> SnapshotFiles:
        draft, batches = self._draft, self._batches
        assembled = conclude(draft, batches, self._written, steady=steady)
        pages = [page for batch in batches for page in batch.pages]
        _write_pages(draft, pages)
        absent = [batch.missing for batch in batches if batch.missing is not None]
        return SnapshotFiles(
            rows=assembled.rows,
            quarantined=assembled.quarantined,
            pages=pages,
            unknown=frozenset[str]().union(*(batch.unknown for batch in batches)),
            missing=frozenset.intersection(*absent) if absent else frozenset(),
            odd_times=odd_times(draft.dataset, draft.data),
        )


async def write_rows(draft: Draft, batches: AsyncIterator[list[StoredReply]]) -> RowsWritten:
    """Check the rows of batches as they come, and write them into the draft's data file.

    Args:
        draft: the snapshot that is being made.
        batches: replies, in the order of arrival.

    Raises:
        StorageError: the disk refused.
    """
    draft.make_work()
    done: list[Batch] = []
    # wait for a step that is stopped: it must not write into a folder that is being deleted
    with closing(DataFile(draft)) as file, ThreadPoolExecutor(1, thread_name_prefix="check") as thread:
        async for replies in batches:
            step = thread.submit(_write, draft, len(done), replies, file)
            done.append(await asyncio.wrap_future(step))
        rows = await asyncio.wrap_future(thread.submit(file.finish))
    return RowsWritten(draft, done, Written(rows, file.moved))


def _write(draft: Draft, number: int, replies: Sequence[StoredReply], file: DataFile) -> Batch:
    batch, rows = checked(draft.dataset, write_batch(draft, number, replies))
    file.add(Rows.of(rows))
    return batch


def _write_pages(draft: Draft, pages: Sequence[PageRow]) -> None:
    arrays, _ = arrow_columns(PAGES, values_of(PAGES, pages))
    with storage_errors("write", draft.pages):
        table = pa.Table.from_arrays(arrays, names=list(PAGES.columns))
        pq.write_table(table, draft.pages, compression="zstd")
