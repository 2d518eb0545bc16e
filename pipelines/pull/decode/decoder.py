"""Spooled replies into parts: rows decoded into Arrow, those of the wrong shape apart.

A reply is parsed once: a `Refiner` tells the scan what it needs of it and has its rows as columns by then. It runs
wherever there is a processor to spare (`pool`), and needs no pandas, whose import would cost a process more than
decoding 100,000 rows. Its parts still hold every version of a row that the scan read. What does not belong here: the
declared checks (`write.validate`), and which version stays (`write.data_file`, `write.deduplicate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.pull.decode.batches import PLACE, ROW_KEY, Part, bad_rows, part_schema, write_bad, write_rows
from pipelines.pull.decode.columns import (
    REFUSED,
    Decoded,
    decoded,
    raw_rows,
    reply_decoder,
    row_by_row,
    values_of,
)
from pipelines.pull.decode.row_keys import KeyRule, Keys, Seen, key_rules, reply_reader, see
from pipelines.pull.decode.spool import Body, Spooled, digest
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.failures import Unreadable
from schemas.registry import PULLED
from schemas.sync import PageRow

_END_BYTES = 8192
"""Of a reply, at either end; a contact has at most 4,000 (/api-reference/v2/overview)."""


class Refiner:
    """Reads the replies of one dataset, and makes parts of those that are kept.

    Args:
        name: the dataset's name in `PULLED`.
        snapshot: the id of the snapshot to be.
        folder: where parts go.
    """

    def __init__(self, name: str, snapshot: str, folder: Path) -> None:
        self._dataset = PULLED[name]
        self._snapshot = snapshot
        self._folder = folder
        endpoint = ENDPOINTS[name]
        self._envelope = endpoint.envelope
        self._typed = reply_decoder(self._dataset.row, endpoint.envelope)
        self._see = reply_reader(endpoint.envelope, endpoint.identity, endpoint.order, self._dataset)
        self._rules = key_rules(self._dataset)
        self._identity = [self._dataset.columns.index(column) for column in endpoint.identity]
        self._order = endpoint.identity.index(endpoint.order) if endpoint.order else None
        self._held: dict[int, _Read] = {}
        self._kept: list[tuple[Spooled, _Read]] = []

    @property
    def kept(self) -> int:
        """How many replies are kept that are not in a part yet."""
        return len(self._kept)

    def read(self, body: Body) -> Seen:
        """What the scan needs of a reply; its rows are held until it is kept or dropped.

        Raises:
            Unreadable: it is not the JSON expected.
            StorageError: the file cannot be read.
        """
        text = body.read()
        try:
            reply = self._typed.decode(text)
            values = values_of(self._dataset, reply.rows)
            rows = decoded(self._dataset, values, lambda: raw_rows(text, self._envelope))
            identity = [values[at] for at in self._identity]
            usable = all(map(KeyRule.holds_all, self._rules, identity))
            seen = see(identity, self._order, reply.pagination) if usable else self._see(text)
        except REFUSED:
            seen, rows = self._read_row_by_row(text)
        self._held[body.offset] = _Read(rows, seen.keys, digest(text), text[:_END_BYTES] + text[-_END_BYTES:])
        return seen

    def _read_row_by_row(self, text: bytes) -> tuple[Seen, Decoded]:
        try:
            str(text, "utf-8")  # values that are passed over are not looked at otherwise
            return self._see(text), row_by_row(self._dataset, raw_rows(text, self._envelope))
        except REFUSED:
            raise Unreadable("not JSON") from None

    def keep(self, reply: Spooled) -> None:
        """Have the rows of a reply in the next part."""
        self._kept.append((reply, self._held.pop(reply.offset)))

    def drop(self, body: Body) -> None:
        """Forget a reply that is not to be kept; nothing happens if it was not read."""
        self._held.pop(body.offset, None)

    def cut(self, number: int) -> Part:
        """Write a part of what has been kept since the last one.

        Args:
            number: the part's, for its file names.

        Raises:
            StorageError: the disk refused.
        """
        good = self._folder / f"good-{number:05}.arrow"
        table = self._table()
        write_rows(table, good)
        aside = [row for reply, read in self._kept for row in bad_rows(self._dataset, reply, read.rows.bad)]
        bad = write_bad(aside, self._folder / f"bad-{number:05}.parquet")
        part = Part(
            good=(good,),
            bad=(bad,) if bad else (),
            pages=[self._page_row(reply, read) for reply, read in self._kept],
            unknown=frozenset[str]().union(*(read.rows.unknown for _, read in self._kept)),
            missing=self._missing_in(table),
        )
        self._kept = []
        return part

    def _table(self) -> pa.Table:
        """The rows of a part, and where each is from."""
        if not self._kept:
            return part_schema(self._dataset).empty_table()
        batches = [read.rows.batch for _, read in self._kept]
        counts = [batch.num_rows for batch in batches]
        received = np.array(
            [reply.received_at.replace(tzinfo=None) for reply, _ in self._kept], "datetime64[us]"
        )
        pages = np.array([reply.page for reply, _ in self._kept], np.int64)
        keys = [
            np.array(read.keys, np.uint64)[batch.column("row").to_numpy()]
            for batch, (_, read) in zip(batches, self._kept, strict=True)
        ]
        table = pa.Table.from_batches(batches).combine_chunks()  # all that follows is faster for it
        for field, values in (
            (PLACE[0], np.repeat(received, counts)),
            (PLACE[1], np.repeat(pages, counts)),
            (ROW_KEY, np.concatenate(keys)),
        ):
            table = table.append_column(field, pa.array(values, field.type))
        return table

    def _missing_in(self, table: pa.Table) -> frozenset[str] | None:
        """The columns without a value that no reply names at its beginning or end; None where there are no rows.

        To search the whole of each reply for the same field in vain would take a tenth of the time of decoding.
        """
        if not table.num_rows:
            return None
        missing = {name for name in self._dataset.columns if table[name].null_count == table.num_rows}
        for _, read in self._kept:
            missing = {name for name in missing if f'"{name}"'.encode() not in read.ends}
        return frozenset(missing)

    def _page_row(self, reply: Spooled, read: "_Read") -> PageRow:
        return PageRow(
            dataset=self._dataset.name,
            snapshot=self._snapshot,
            page=reply.page,
            request=reply.request,
            sent_at=reply.sent_at.isoformat(),
            received_at=reply.received_at.isoformat(),
            total=reply.total,
            rows=read.rows.batch.num_rows + len(read.rows.bad),
            size=reply.size,
            digest=read.digest,
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """A reply that has been read: its rows, a key for each, a digest of its text, and how that begins and ends."""

    rows: Decoded
    keys: Keys
    digest: str
    ends: bytes


def refine(name: str, snapshot: str, replies: Sequence[Spooled], folder: Path) -> Part:
    """One part of all replies given.

    Args:
        name: the dataset's name in `PULLED`.
        snapshot: the id of the snapshot to be.
        replies: about BATCH_ROWS rows.
        folder: where the part goes.

    Raises:
        Unreadable: one of them is not the JSON expected.
        StorageError: the disk refused.
    """
    refiner = Refiner(name, snapshot, folder)
    for reply in replies:
        refiner.read(reply)
        refiner.keep(reply)
    return refiner.cut(0)
