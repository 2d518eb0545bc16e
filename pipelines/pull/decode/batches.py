"""Parts of a snapshot to be: what they hold, and how they lie on the disk between refining, checking and assembling.

What does not belong here: how replies become parts (`decoder`), and which of their rows stay (`write.data_file`,
`write.deduplicate`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.decode.columns import BadRow, raw_rows
from pipelines.pull.decode.row_keys import as_text, has_usable_key
from pipelines.pull.decode.spool import Spooled
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.storage import storage_errors
from schemas.arrow import TYPES
from schemas.columns import Dataset, Kind
from schemas.sync import PageRow

BATCH_ROWS = 50_000
"""Rows refined at once: pandera's cost is per call, and memory is per batch."""

KEY_SEPARATOR = "\x1f"
"""Between the columns of a key that is written as one text."""

PLACE = [pa.field("synced_at", TYPES[Kind.INSTANT]), pa.field("page", pa.int64())]
"""When the reply of a row came, and which one it was."""

ROW_KEY = pa.field("row_key", pa.uint64())
"""What the scan tells a row apart by."""

_ROW = pa.field("row", pa.int32())
_BAD = pa.schema(
    [
        pa.field("identity", pa.string()),
        pa.field("raw", pa.string()),
        pa.field("reason", pa.string()),
        *PLACE,
        _ROW,
    ]
)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | int | float | bool)


@dataclass(frozen=True, slots=True)
class Part:
    """What became of some replies.

    Attributes:
        good: files of Arrow IPC: the dataset's columns, `extra`, the place of each row, and `row_key`: what the scan
            tells it apart by; two rows of one key may still differ.
        bad: files of Parquet: identity (null without a usable key), raw JSON, reason, and the place of each row.
        pages: one per reply.
        unknown: names of fields that the contract does not know.
        missing: names of fields without a value that no reply names at its ends; None where there were no rows.
    """

    good: tuple[Path, ...]
    bad: tuple[Path, ...]
    pages: list[PageRow]
    unknown: frozenset[str]
    missing: frozenset[str] | None


def joined(parts: Sequence[Part]) -> Part:
    """Parts of the same time as one."""
    missing = [part.missing for part in parts if part.missing is not None]
    return Part(
        good=tuple(path for part in parts for path in part.good),
        bad=tuple(path for part in parts for path in part.bad),
        pages=[page for part in parts for page in part.pages],
        unknown=frozenset[str]().union(*(part.unknown for part in parts)),
        missing=frozenset.intersection(*missing) if missing else None,
    )


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


def read_rows(part: Part) -> pa.Table:
    """The good rows of a part.

    Raises:
        StorageError: a file cannot be read.
    """
    tables = []
    for path in part.good:
        with storage_errors("read", path), pa.memory_map(str(path)) as file:
            tables.append(pa.ipc.open_file(file).read_all())
    return pa.concat_tables(tables)


def part_schema(dataset: Dataset) -> pa.Schema:
    """The columns of a good part."""
    columns = [pa.field(field.name, TYPES[field.kind]) for field in dataset.fields]  # as `columns` makes them
    return pa.schema([*columns, pa.field("extra", pa.string()), _ROW, *PLACE, ROW_KEY])


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
        bad += bad_rows(
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


def identity_of(dataset: Dataset, raw: bytes) -> str | None:
    """The key of a raw row as one text; None where it is not usable."""
    try:
        fields = _fields.decode(raw)
        values = [_scalar.decode(fields[name]) for name in dataset.key]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    return KEY_SEPARATOR.join(map(as_text, values)) if has_usable_key(dataset, values) else None


def bad_rows(dataset: Dataset, reply: Spooled, bad: list[BadRow]) -> list[dict[str, object]]:
    """Rows for a bad part, of one reply."""
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
