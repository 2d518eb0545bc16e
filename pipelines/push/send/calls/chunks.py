"""Rows into chunks that one request can take: at most 1,000 records and 5 MB or less, greedily, in one stream.

Rows come in batches of columns and are cut by slices: with a million of them, work per row is what costs. What does
not belong here: which rows are to be sent (`checks.compare`), how large a chunk may be for now (`sizes`), and
sending them (`sender`).
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
        rows: what the ledger keeps of them.
        records: their JSON, as the API takes it, one after the other and each with a comma behind it, so that a
            slice is the inside of a body.
        ends: where each record begins in `records`, and where the last one ends.
        limits: for each, the most rows that a chunk with it may have.
    """

    rows: LedgerRows
    records: memoryview
    ends: memoryview
    limits: list[int]

    @classmethod
    def of(cls, rows: LedgerRows, records: pa.BinaryArray, limits: list[int]) -> "Batch":
        """Of Arrow's own bytes, without a copy.

        Args:
            rows: what the ledger keeps of them.
            records: their JSON, each with a comma behind it.
            limits: for each, the most rows of a chunk with it.
        """
        _, ends, texts = records.buffers()
        places = memoryview(ends or b"").cast("i")[records.offset :][: len(records) + 1]
        return cls(rows, memoryview(texts or b""), places, limits)


@dataclass(slots=True)
class Chunk:
    """One request: its rows, and their records in the same order.

    Attributes:
        limit: what its rows have for a limit.
        most: the most rows that it may have.
        rows: what the ledger keeps of them.
        count: how many.
        size: bytes of the body.
    """

    limit: int
    most: int
    rows: LedgerRows = field(default_factory=LedgerRows.none)
    count: int = 0
    size: int = sum(map(len, ENVELOPE)) - 1  # each record counts a comma, and the last one has none
    _texts: list[memoryview] = field(default_factory=list)

    def body(self) -> bytes:
        """The request's body, of `size` bytes."""
        return b"".join([ENVELOPE[0], *self._texts[:-1], self._texts[-1][:-1], ENVELOPE[1]])

    def take(self, batch: Batch, start: int, max_bytes: int) -> int:
        """Take in as many rows of a batch from `start` on as fit, one at least; returns where it stopped.

        Args:
            batch: the rows.
            start: the place of the first one.
            max_bytes: of the body.
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
    """Cut a stream into chunks; order is kept, and rows of different limits are never in one chunk.

    Args:
        batches: the rows. A record that is larger than a body may be is a chunk of its own.
        sizes: what a chunk may have, looked at for each: it changes while they are sent.
    """
    chunk: Chunk | None = None
    for batch in batches:
        place = 0
        while place < len(batch.limits):
            limit = batch.limits[place]
            chunk = chunk or Chunk(limit, min(limit, sizes.rows))
            place = chunk.take(batch, place, sizes.bytes)
            if place < len(batch.limits):  # it is full
                yield chunk
                chunk = None
    if chunk is not None:
        yield chunk
