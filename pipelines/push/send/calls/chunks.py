"""Cuts rows into chunks that one request can take: at most 1,000 records and 5 MB, in one pass over the stream.

Rows come in batches of columns and are cut by slices, because with a million rows the work per row is what costs.
What does not belong here: which rows are sent (`checks.compare`), the present size of chunks (`sizes`), and sending
them (`sender`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.push.checks.validate import ENVELOPE
from pipelines.push.ledger.statements import LedgerRows
from pipelines.push.send.calls.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to be sent, column by column.

    Attributes:
        rows: the fields of the rows that the ledger keeps.
        records: the rows as JSON for the API, one after the other, each with a comma after it, so that a slice is the
            inside of a body.
        ends: where each record begins in `records`, and where the last one ends.
        limits: for each row, the most rows of a chunk that it is in.
    """

    rows: LedgerRows
    records: memoryview
    ends: memoryview
    limits: list[int]

    @classmethod
    def of(cls, rows: LedgerRows, records: pa.BinaryArray, limits: list[int]) -> "Batch":
        """Make a batch from Arrow's own bytes, without a copy.

        Args:
            rows: the fields of the rows that the ledger keeps.
            records: the rows as JSON, each with a comma after it.
            limits: for each row, the most rows of a chunk that it is in.
        """
        _, ends, texts = records.buffers()
        places = memoryview(ends or b"").cast("i")[records.offset :][: len(records) + 1]
        return cls(rows, memoryview(texts or b""), places, limits)


@dataclass(slots=True)
class Chunk:
    """One request: its rows, and their records in the same order.

    Attributes:
        limit: the limit of its rows; all have the same.
        most: the most rows that it may have now.
        rows: the fields of the rows that the ledger keeps.
        count: its number of rows.
        size: bytes of the body.
    """

    limit: int
    most: int
    rows: LedgerRows = field(default_factory=LedgerRows.none)
    count: int = 0
    size: int = sum(map(len, ENVELOPE)) - 1  # each record counts one comma, but the last has none
    _texts: list[memoryview] = field(default_factory=list)

    def body(self) -> bytes:
        """Return the request's body, of `size` bytes."""
        return b"".join([ENVELOPE[0], *self._texts[:-1], self._texts[-1][:-1], ENVELOPE[1]])

    def take(self, batch: Batch, start: int, max_bytes: int) -> int:
        """Add as many rows of a batch as fit, at least one if the chunk is empty; return the place of the next row.

        Args:
            batch: the rows.
            start: the place of the first row.
            max_bytes: most bytes of the body.
        """
        stop = start + min(self.most - self.count, len(batch.limits) - start)
        if batch.limits[start:stop].count(self.limit) < stop - start:
            stop = next(place for place in range(start, stop) if batch.limits[place] != self.limit)
        begin = batch.ends[start]
        fits = bisect_right(batch.ends, begin + max_bytes - self.size, start, stop + 1) - 1
        stop = max(fits, start + 1) if not self.count and stop > start else fits
        self.size += batch.ends[stop] - begin
        if stop > start:
            self._texts.append(batch.records[begin : batch.ends[stop]])
            self.rows.extend(batch.rows, start, stop)
            self.count += stop - start
        return stop


def chunks(batches: Iterable[Batch], sizes: Sizes) -> Iterator[Chunk]:
    """Cut a stream into chunks. The order is kept, and rows with different limits are never in one chunk.

    Args:
        batches: the rows. A record larger than a body may be is a chunk of its own.
        sizes: the present limits of a chunk, read for each chunk because they change while chunks are sent.
    """
    chunk: Chunk | None = None
    for batch in batches:
        place = 0
        while place < len(batch.limits):
            limit = batch.limits[place]
            chunk = chunk or Chunk(limit, min(limit, sizes.rows))
            place = chunk.take(batch, place, sizes.bytes)
            if place < len(batch.limits):  # the chunk is full
                yield chunk
                chunk = None
    if chunk is not None:
        yield chunk
