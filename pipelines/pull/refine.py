"""Spooled replies into checked Parquet parts: decoded, validated by pandera in large batches, bad rows apart.

One refinery serves one dataset of one pull, on one thread. Its parts still hold every version of a row that the
scan read; `assemble` keeps the latest.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.decode import BadRow, Decoded, row_decoder
from pipelines.pull.spool import Spooled, digest
from pipelines.storage import storage_errors
from schemas.arrow import TYPES, arrow_schema
from schemas.columns import Dataset, Kind
from schemas.frames import broken_rows
from schemas.sync import PageRow

BATCH_ROWS = 50_000
"""Rows validated at once: pandera's cost is per call, and memory is per batch."""

KEY_SEPARATOR = "\x1f"

_PLACE = [
    pa.field("synced_at", TYPES[Kind.INSTANT]),
    pa.field("page", pa.int64()),
    pa.field("row", pa.int32()),
]
_BAD_SCHEMA = pa.schema(
    [
        pa.field("identity", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("reason", pa.string()),
        *_PLACE,
    ]
)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | int | float | bool)


@dataclass(slots=True)
class Refinery:
    """What has been refined so far.

    Attributes:
        dataset: what the rows are.
        snapshot: the id of the snapshot to be.
        folder: where parts are written.
        good: Parquet parts: the dataset's columns, `extra`, and the place of each row.
        bad: Parquet parts: raw JSON, reason, identity, and the place of each row.
        pages: one per reply.
        unknown: names of fields that the contract does not know.
    """

    dataset: Dataset
    snapshot: str
    folder: Path
    good: list[Path] = field(default_factory=list)
    bad: list[Path] = field(default_factory=list)
    pages: list[PageRow] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    _batches: list[pa.RecordBatch] = field(default_factory=list)
    _sources: dict[int, Spooled] = field(default_factory=dict)
    _rows: int = 0

    def add(self, reply: Spooled) -> int:
        """Take one reply; returns how many rows it had.

        Raises:
            StorageError: the disk refused.
        """
        raw = reply.read()
        decoded = row_decoder(self.dataset)(raw)
        rows = decoded.batch.num_rows + len(decoded.bad)
        self.pages.append(
            PageRow(
                dataset=self.dataset.name,
                snapshot=self.snapshot,
                page=reply.page,
                request=reply.request,
                sent_at=reply.sent_at.isoformat(),
                received_at=reply.received_at.isoformat(),
                total=reply.total,
                rows=rows,
                size=reply.size,
                digest=digest(raw),
            )
        )
        self.unknown |= decoded.unknown
        self._write_bad(reply, decoded.bad)
        self._keep(reply, decoded)
        if self._rows >= BATCH_ROWS:
            self.flush()
        return rows

    def flush(self) -> None:
        """Validate and write what is waiting; the first call writes a part even if it is empty.

        Raises:
            StorageError: the disk refused.
        """
        if not self._batches and self.good:
            return
        table = pa.Table.from_batches(self._batches, None if self._batches else self._empty_schema())
        broken = broken_rows(self.dataset, table)
        if broken:
            self.set_aside(
                (int(table["page"][at].as_py()), int(table["row"][at].as_py()), reason)
                for at, reason in broken.items()
            )
            keep = [True] * table.num_rows
            for at in broken:
                keep[at] = False
            table = table.filter(pa.array(keep))
        path = self.folder / f"good-{len(self.good):05}.parquet"
        with storage_errors("write", path):
            pq.write_table(table, path, compression="lz4")
        self.good.append(path)
        self._batches.clear()
        self._rows = 0

    def _empty_schema(self) -> pa.Schema:
        """The columns of a part, for a dataset that turns out to have no rows."""
        extra = pa.field("extra", pa.string())
        return pa.schema([*arrow_schema(self.dataset), extra, _PLACE[2], _PLACE[0], _PLACE[1]])

    def set_aside(self, rows: Iterable[tuple[int, int, str]]) -> None:
        """Quarantine rows by (page, place in the page, reason), with their raw JSON from the spool."""
        by_page: dict[int, list[tuple[int, str]]] = {}
        for page, row, reason in rows:
            by_page.setdefault(page, []).append((row, reason))
        for page, places in by_page.items():
            raws = msgspec.json.decode(self._sources[page].read(), type=list[msgspec.Raw])
            self._write_bad(self._sources[page], [BadRow(row, bytes(raws[row]), why) for row, why in places])

    def _keep(self, reply: Spooled, decoded: Decoded) -> None:
        batch = decoded.batch
        self._sources[reply.page] = reply
        when: Any = pa.scalar(reply.received_at, TYPES[Kind.INSTANT])
        batch = batch.append_column(_PLACE[0], pa.repeat(when, batch.num_rows))
        batch = batch.append_column(_PLACE[1], pa.repeat(reply.page, batch.num_rows))
        self._batches.append(batch)
        self._rows += batch.num_rows

    def _write_bad(self, reply: Spooled, bad: list[BadRow]) -> None:
        if not bad:
            return
        rows = [
            {
                "identity": identity_of(self.dataset, item.raw),
                "raw": item.raw.decode(),
                "reason": item.reason,
                "synced_at": reply.received_at,
                "page": reply.page,
                "row": item.row,
            }
            for item in bad
        ]
        path = self.folder / f"bad-{len(self.bad):05}.parquet"
        with storage_errors("write", path):
            pq.write_table(pa.Table.from_pylist(rows, _BAD_SCHEMA), path)
        self.bad.append(path)


def identity_of(dataset: Dataset, raw: bytes) -> str:
    """The key of a raw row as one text, or its digest where it has none that can be read."""
    try:
        fields = _fields.decode(raw)
        return KEY_SEPARATOR.join(str(_scalar.decode(fields[name])) for name in dataset.key)
    except (msgspec.DecodeError, KeyError):
        return f"raw:{digest(raw)}"
