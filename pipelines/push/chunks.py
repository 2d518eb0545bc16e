"""Rows into chunks that one request can take: at most 1,000 records and 5 MB, greedily, in one stream.

Rows come in batches of columns and are cut by slices: with a million of them, work per row is what costs.
What does not belong here: which rows are to be sent (`presence`), and sending them (`sender`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipelines.push.ledger_moves import LedgerRows
from pipelines.push.validate import ENVELOPE
from pipelines.trackly.imports import MAX_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to be sent, column by column.

    Attributes:
        rows: what the ledger keeps of them.
        records: their JSON, as the API takes it.
        limits: for each, the most rows that a chunk with it may have.
    """

    rows: LedgerRows
    records: list[bytes]
    limits: list[int]


@dataclass(slots=True)
class Chunk:
    """One request: its rows, and their records in the same order.

    Attributes:
        limit: the most rows that it may have.
        rows: what the ledger keeps of them.
        records: their JSON.
        size: bytes of the body.
    """

    limit: int
    rows: LedgerRows = field(default_factory=LedgerRows.none)
    records: list[bytes] = field(default_factory=list)
    size: int = sum(map(len, ENVELOPE))

    def body(self) -> bytes:
        """The request's body, of `size` bytes."""
        return b",".join(self.records).join(ENVELOPE)

    def take(self, batch: Batch, start: int, max_bytes: int) -> int:
        """Take in as many rows of a batch from `start` on as fit; returns where it stopped."""
        stop = start + min(self.limit - len(self.records), len(batch.records) - start)
        if batch.limits[start:stop].count(self.limit) < stop - start:
            stop = next(place for place in range(start, stop) if batch.limits[place] != self.limit)
        stop = self._fit(batch.records, start, stop, max_bytes)
        self.records += batch.records[start:stop]
        self.rows.extend(batch.rows, start, stop)
        return stop

    def _fit(self, records: list[bytes], start: int, stop: int, max_bytes: int) -> int:
        """Count in the records that fit, each with a comma, save for the first of all."""
        more = sum(map(len, records[start:stop])) + (stop - start)
        first = 0 if self.records else 1
        if self.size + more - first <= max_bytes:
            self.size += max(more - first, 0)
            return stop
        for place in range(start, stop):
            more = len(records[place]) + 1 - first
            if self.size + more > max_bytes:
                return place
            self.size += more
            first = 0
        return stop


def chunks(batches: Iterable[Batch], max_bytes: int = MAX_BODY_BYTES) -> Iterator[Chunk]:
    """Cut a stream into chunks; order is kept, and rows of different limits are never in one chunk.

    Args:
        batches: the rows. Each record must fit `max_bytes` on its own (`validate` sees to it).
        max_bytes: the most bytes of a body.
    """
    chunk: Chunk | None = None
    for batch in batches:
        place = 0
        while place < len(batch.records):
            chunk = chunk or Chunk(batch.limits[place])
            place = chunk.take(batch, place, max_bytes)
            if place < len(batch.records):  # it is full
                yield chunk
                chunk = None
    if chunk is not None:
        yield chunk
