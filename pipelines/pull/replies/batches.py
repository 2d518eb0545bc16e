"""Batches: replies with about 50,000 rows, combined in files that validation and deduplication read.

A batch still holds every version of a row that the scan read. What does not belong here: how a reply is decoded
(`decode.decoder`), the declared checks (`write.validate`), and which rows are kept (`write.data_file`,
`write.deduplicate`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.decode.columns import BadRow, raw_rows
from pipelines.pull.decode.decoder import DecodedReply, ReplyDecoder
from pipelines.pull.decode.row_keys import as_text, has_usable_key
from pipelines.pull.draft import Draft
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.pull.replies.spool import Spooled
from pipelines.storage import storage_errors
from schemas.columns import Dataset, Kind
from schemas.derived.arrow import TYPES
from schemas.own_tables.sync import PageRow

BATCH_ROWS = 50_000
"""Rows of a batch by default: pandera's cost is per call, and memory is per batch."""

KEY_SEPARATOR = "\x1f"
"""Between the columns of a key that is written as one text."""

PLACE = [pa.field("synced_at", TYPES[Kind.INSTANT]), pa.field("page", pa.int64())]
"""The time of a row's reply, and the row's place in the replies."""

ROW_KEY = pa.field("row_key", pa.uint64())
"""The integer by which the scan tells rows apart."""

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
class StoredReply:
    """A reply of the snapshot: its place in the spool, and its content."""

    spooled: Spooled
    decoded: DecodedReply


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of some replies.

    Attributes:
        good: a file of Arrow IPC: the dataset's columns, `extra`, the place of each row, and `row_key`: the integer
            by which the scan tells rows apart; two rows of one integer may still differ.
        bad: files of Parquet: identity (null without a usable key), raw JSON, reason, and the place of each row.
        replies: its replies, in the order of arrival.
        pages: one row of sync.pages per reply.
        unknown: names of fields that the contract does not know.
        missing: names of fields without a value that no reply names at its beginning or end; None without rows.
    """

    good: Path
    bad: tuple[Path, ...]
    replies: tuple[Spooled, ...]
    pages: list[PageRow]
    unknown: frozenset[str]
    missing: frozenset[str] | None


def write_batch(draft: Draft, number: int, replies: Sequence[StoredReply]) -> Batch:
    """Write the rows of some replies into the draft's work folder.

    Args:
        draft: the snapshot that is being made.
        number: the batch's, for its file names.
        replies: about `BATCH_ROWS` rows, in the order of arrival.

    Raises:
        StorageError: the disk refused.
    """
    good = draft.work / f"good-{number:05}.arrow"
    table = _table(draft.dataset, replies)
    write_rows(table, good)
    rows = [
        row for reply in replies for row in bad_rows(draft.dataset, reply.spooled, reply.decoded.rows.bad)
    ]
    bad = write_bad(rows, draft.work / f"bad-{number:05}.parquet")
    return Batch(
        good=good,
        bad=(bad,) if bad else (),
        replies=tuple(reply.spooled for reply in replies),
        pages=[_page_row(draft, reply) for reply in replies],
        unknown=frozenset[str]().union(*(reply.decoded.rows.unknown for reply in replies)),
        missing=_missing_in(table, draft.dataset, replies),
    )


def decode_batch(draft: Draft, replies: Iterable[Spooled]) -> Batch:
    """Decode spooled replies, and write all of them as one batch.

    Args:
        draft: the snapshot that is being made.
        replies: about `BATCH_ROWS` rows, in the order of arrival.

    Raises:
        Unreadable: one of them is not the JSON expected.
        StorageError: the disk refused.
    """
    decoder = ReplyDecoder(draft.dataset.name)
    return write_batch(draft, 0, [StoredReply(reply, decoder.read(reply.read())) for reply in replies])


def _table(dataset: Dataset, replies: Sequence[StoredReply]) -> pa.Table:
    """Return the rows of a batch as a table, with each row's place."""
    if not replies:
        return batch_schema(dataset).empty_table()
    batches = [reply.decoded.rows.batch for reply in replies]
    counts = [batch.num_rows for batch in batches]
    received = np.array(
        [reply.spooled.received_at.replace(tzinfo=None) for reply in replies], "datetime64[us]"
    )
    pages = np.array([reply.spooled.page for reply in replies], np.int64)
    keys = [
        np.array(reply.decoded.seen.keys, np.uint64)[batch.column("row").to_numpy()]
        for batch, reply in zip(batches, replies, strict=True)
    ]
    table = pa.Table.from_batches(batches).combine_chunks()  # this makes all later steps faster
    for field, values in (
        (PLACE[0], np.repeat(received, counts)),
        (PLACE[1], np.repeat(pages, counts)),
        (ROW_KEY, np.concatenate(keys)),
    ):
        table = table.append_column(field, pa.array(values, field.type))
    return table


def _missing_in(table: pa.Table, dataset: Dataset, replies: Sequence[StoredReply]) -> frozenset[str] | None:
    """Return the columns without a value that no reply names at its beginning or end; None without rows.

    A search of each complete reply for a missing field would take a tenth of the time of decoding.
    """
    if not table.num_rows:
        return None
    missing = {name for name in dataset.columns if table[name].null_count == table.num_rows}
    for reply in replies:
        missing = {name for name in missing if f'"{name}"'.encode() not in reply.decoded.ends}
    return frozenset(missing)


def _page_row(draft: Draft, reply: StoredReply) -> PageRow:
    spooled, rows = reply.spooled, reply.decoded.rows
    return PageRow(
        dataset=draft.dataset.name,
        snapshot=draft.snapshot,
        page=spooled.page,
        request=spooled.request,
        sent_at=spooled.sent_at.isoformat(),
        received_at=spooled.received_at.isoformat(),
        total=spooled.total,
        rows=rows.batch.num_rows + len(rows.bad),
        size=spooled.size,
        digest=reply.decoded.digest,
    )


def write_rows(rows: pa.Table, path: Path) -> None:
    """Write the good rows of a batch as Arrow IPC, their form in memory.

    Raises:
        StorageError: the disk refused.
    """
    with (
        storage_errors("write", path),
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, rows.schema) as writer,
    ):
        writer.write_table(rows)


def read_rows(batch: Batch) -> pa.Table:
    """Read the good rows of a batch.

    Raises:
        StorageError: the file cannot be read.
    """
    with storage_errors("read", batch.good), pa.memory_map(str(batch.good)) as file:
        return pa.ipc.open_file(file).read_all()


def batch_schema(dataset: Dataset) -> pa.Schema:
    """Return the columns of a batch's good rows."""
    columns = [pa.field(field.name, TYPES[field.kind]) for field in dataset.fields]  # as `columns` makes them
    return pa.schema([*columns, pa.field("extra", pa.string()), _ROW, *PLACE, ROW_KEY])


def raw_bad_rows(
    dataset: Dataset, replies: Iterable[Spooled], places: Iterable[tuple[int, int, str]]
) -> list[dict[str, object]]:
    """Return rows to quarantine, with their raw JSON from the spool.

    Args:
        dataset: what the rows are.
        replies: replies that contain the rows; others may be among them.
        places: page, row and reason of each.
    """
    by_page: dict[int, list[tuple[int, str]]] = {}
    for page, row, reason in places:
        by_page.setdefault(page, []).append((row, reason))
    bad = []
    for reply in replies:
        if rows := by_page.get(reply.page):
            raws = raw_rows(reply.read(), ENDPOINTS[dataset.name].envelope)
            bad += bad_rows(dataset, reply, [BadRow(row, bytes(raws[row]), reason) for row, reason in rows])
    return bad


def write_bad(rows: list[dict[str, object]], path: Path) -> Path | None:
    """Write the bad rows of a batch, if there are any."""
    if not rows:
        return None
    with storage_errors("write", path):
        pq.write_table(pa.Table.from_pylist(rows, _BAD), path)
    return path


def identity_of(dataset: Dataset, raw: bytes) -> str | None:
    """Return the key of a raw row as one text; None if it is not usable."""
    try:
        fields = _fields.decode(raw)
        values = [_scalar.decode(fields[name]) for name in dataset.key]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    return KEY_SEPARATOR.join(map(as_text, values)) if has_usable_key(dataset, values) else None


def bad_rows(dataset: Dataset, reply: Spooled, bad: list[BadRow]) -> list[dict[str, object]]:
    """Return the bad rows of one reply, with their place and the text of their key.

    Args:
        dataset: what the rows are.
        reply: the reply.
        bad: the rows, each with its place in the reply and the reason.

    Returns:
        Rows of the file of bad rows, by column.
    """
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
