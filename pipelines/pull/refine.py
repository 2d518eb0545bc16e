"""Spooled replies into parts: rows decoded into Arrow, those of the wrong shape apart.

`refine` is a pure function of files and runs wherever there is a processor to spare; it needs no pandas, whose import
would cost a process more than decoding 100,000 rows. Its parts still hold every version of a row that the scan read.
What does not belong here: the declared checks (`check`), and which version stays (`output`, `assemble`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.decode import BadRow, raw_rows, row_decoder
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.spool import Spooled, digest
from pipelines.storage import storage_errors
from schemas.arrow import TYPES, arrow_schema
from schemas.columns import Dataset, Kind
from schemas.registry import PULLED
from schemas.sync import PageRow

BATCH_ROWS = 50_000
"""Rows refined at once: pandera's cost is per call, and memory is per batch."""

KEY_SEPARATOR = "\x1f"
"""Between the columns of a key that is written as one text."""

_PLACE = [pa.field("synced_at", TYPES[Kind.INSTANT]), pa.field("page", pa.int64())]
_ROW = pa.field("row", pa.int32())
_BAD = pa.schema(
    [
        pa.field("identity", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("reason", pa.string()),
        *_PLACE,
        _ROW,
    ]
)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | int | float | bool)


@dataclass(frozen=True, slots=True)
class Part:
    """What became of some replies.

    Attributes:
        good: Arrow IPC: the dataset's columns, `extra`, and the place of each row.
        bad: Parquet: identity, raw JSON, reason, and the place of each row; None where there is none.
        pages: one per reply.
        unknown: names of fields that the contract does not know.
        missing: names of fields that no row carried; None where there were no rows.
    """

    good: Path
    bad: Path | None
    pages: list[PageRow]
    unknown: frozenset[str]
    missing: frozenset[str] | None


def refine(name: str, snapshot: str, number: int, replies: Sequence[Spooled], folder: Path) -> Part:
    """Decode replies, and write one part.

    Args:
        name: the dataset's name in `PULLED`.
        snapshot: the id of the snapshot to be.
        number: the part's number, for its file names.
        replies: about BATCH_ROWS rows.
        folder: where the part goes.

    Raises:
        StorageError: the disk refused.
    """
    dataset = PULLED[name]
    decode = row_decoder(dataset, ENDPOINTS[name].envelope)
    batches, bad, pages, unknown = [], [], [], frozenset[str]()
    missing: frozenset[str] | None = None
    for reply in replies:
        body = reply.read()
        decoded = decode(body)
        batches.append(_placed(decoded.batch, reply))
        bad += _bad_rows(dataset, reply, decoded.bad)
        pages.append(_page_row(name, snapshot, reply, decoded.batch.num_rows + len(decoded.bad), body))
        unknown |= decoded.unknown
        if decoded.batch.num_rows:
            # only those that no reply before had, so that a body is searched to its end for few of them
            missing = _absent(dataset.columns if missing is None else missing, body)
    good = folder / f"good-{number:05}.arrow"
    write_rows(pa.Table.from_batches(batches, None if batches else part_schema(dataset)), good)
    return Part(good, write_bad(bad, folder / f"bad-{number:05}.parquet"), pages, unknown, missing)


def write_rows(rows: pa.Table, path: Path) -> None:
    """Write the good rows of a part as they lie in memory.

    Raises:
        StorageError: the disk refused.
    """
    with (
        storage_errors("write", path),
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, rows.schema) as writer,
    ):
        writer.write_table(rows)


def read_rows(path: Path) -> pa.Table:
    """The good rows of a part.

    Raises:
        StorageError: the file cannot be read.
    """
    with storage_errors("read", path), pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def part_schema(dataset: Dataset) -> pa.Schema:
    """The columns of a good part."""
    return pa.schema([*arrow_schema(dataset), pa.field("extra", pa.string()), _ROW, *_PLACE])


def set_aside(
    dataset: Dataset, replies: dict[int, Spooled], places: Iterable[tuple[int, int, str]]
) -> list[dict[str, object]]:
    """Rows for a bad part by (page, row, reason), with their raw JSON from the spool."""
    by_page: dict[int, list[tuple[int, str]]] = {}
    for page, row, reason in places:
        by_page.setdefault(page, []).append((row, reason))
    bad = []
    for page, rows in by_page.items():
        raws = raw_rows(replies[page].read(), ENDPOINTS[dataset.name].envelope)
        bad += _bad_rows(
            dataset, replies[page], [BadRow(row, bytes(raws[row]), reason) for row, reason in rows]
        )
    return bad


def write_bad(rows: list[dict[str, object]], path: Path) -> Path | None:
    """Write a bad part, if there is anything in it."""
    if not rows:
        return None
    with storage_errors("write", path):
        pq.write_table(pa.Table.from_pylist(rows, _BAD), path)
    return path


def identity_of(dataset: Dataset, raw: bytes) -> str:
    """The key of a raw row as one text, or its digest where it has none that can be read."""
    try:
        fields = _fields.decode(raw)
        return KEY_SEPARATOR.join(str(_scalar.decode(fields[name])) for name in dataset.key)
    except (msgspec.DecodeError, KeyError):
        return f"raw:{digest(raw)}"


def _absent(names: Iterable[str], body: bytes) -> frozenset[str]:
    """The names that do not occur in a reply."""
    return frozenset(name for name in names if f'"{name}"'.encode() not in body)


def _placed(batch: pa.RecordBatch, reply: Spooled) -> pa.RecordBatch:
    when: Any = pa.scalar(reply.received_at, TYPES[Kind.INSTANT])
    batch = batch.append_column(_PLACE[0], pa.repeat(when, batch.num_rows))
    return batch.append_column(_PLACE[1], pa.repeat(reply.page, batch.num_rows))


def _bad_rows(dataset: Dataset, reply: Spooled, bad: list[BadRow]) -> list[dict[str, object]]:
    return [
        {
            "identity": identity_of(dataset, item.raw),
            "raw": item.raw.decode(errors="replace"),
            "reason": item.reason,
            "synced_at": reply.received_at,
            "page": reply.page,
            "row": item.row,
        }
        for item in bad
    ]


def _page_row(name: str, snapshot: str, reply: Spooled, rows: int, body: bytes) -> PageRow:
    return PageRow(
        dataset=name,
        snapshot=snapshot,
        page=reply.page,
        request=reply.request,
        sent_at=reply.sent_at.isoformat(),
        received_at=reply.received_at.isoformat(),
        total=reply.total,
        rows=rows,
        size=reply.size,
        digest=digest(body),
    )
