"""Rows into chunks that one request can take: at most 1,000 records and 5 MB, greedily, in one stream.

What does not belong here: which rows are to be sent (`presence`), and sending them (`sender`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.push.ledger_moves import LedgerRow
from pipelines.push.validate import ENVELOPE
from pipelines.trackly.imports import MAX_BODY_BYTES


class Item(NamedTuple):
    """A row to be sent; a tuple, since there are a million.

    Attributes:
        row: what the ledger keeps of it.
        record: its JSON, as the API takes it.
        limit: the most rows that a chunk with it may have.
    """

    row: LedgerRow
    record: bytes
    limit: int


@dataclass(slots=True)
class Chunk:
    """One request: its rows, and their records in the same order."""

    limit: int
    rows: list[LedgerRow] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    size: int = sum(map(len, ENVELOPE))

    def body(self) -> bytes:
        """The request's body, of `size` bytes."""
        return b",".join(self.records).join(ENVELOPE)


def chunks(items: Iterable[Item], max_bytes: int = MAX_BODY_BYTES) -> Iterator[Chunk]:
    """Cut a stream into chunks; order is kept, and a row is never alone with less than its neighbours' limit.

    Args:
        items: the rows. Each record must fit `max_bytes` on its own (`validate` sees to it).
        max_bytes: the most bytes of a body.
    """
    chunk: Chunk | None = None
    for item in items:
        more = len(item.record) + 1  # with a comma, save for the first
        if chunk is None or _full(chunk, item, more, max_bytes):
            if chunk is not None:
                yield chunk
            chunk = Chunk(item.limit)
            more -= 1
        chunk.rows.append(item.row)
        chunk.records.append(item.record)
        chunk.size += more
    if chunk is not None:
        yield chunk


def _full(chunk: Chunk, item: Item, more: int, max_bytes: int) -> bool:
    return len(chunk.rows) >= chunk.limit or chunk.limit != item.limit or chunk.size + more > max_bytes
