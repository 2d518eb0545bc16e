"""A reading: every contact's totals as they are now, for the push, which settles by them what no answer told.

It is the same consistent scan as a pull's, of which only the totals are kept and nothing is published. What does
not belong here: what the totals say about rows in doubt (`pipelines.push.revenue.settle`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.privacy import Privacy
from pipelines.pull.consistency import judge
from pipelines.pull.decode.redact import reader
from pipelines.pull.decode.row_keys import Seen, has_usable_key, reply_reader
from pipelines.pull.endpoints import CONTACTS
from pipelines.pull.read.pages import Check, Query
from pipelines.pull.read.scan import scan
from pipelines.pull.write.scratch import scratch
from pipelines.runs import now
from pipelines.settings import Settings
from pipelines.storage import storage_errors, work_folder
from pipelines.trackly.client import TracklyClient
from schemas.money import LARGEST, units
from schemas.registry import PULLED
from schemas.sync import Consistency
from schemas.tables import literal

OnRead = Callable[[int, int | None], None]
"""Called with the contacts read so far, and how many there are, if the API says so."""

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("phone_number", pa.string()),
    ("list_id", pa.int64()),
    ("list_number", pa.string()),
    ("revenue_total", pa.int64()),
    ("conversion_count", pa.int64()),
    ("click_count", pa.int64()),
    ("signup_date", pa.string()),
]
_COLUMNS = pa.schema(_FIELDS)
_READ = _COLUMNS.append(pa.field("reply", pa.int32()))


class _Contact(msgspec.Struct, gc=False):
    """What a reading keeps of a row of GET /contacts."""

    phone_number: str
    list_id: int
    revenue_total: float
    conversion_count: int
    click_count: int
    list_number: str | None = None
    signup_date: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The totals of every contact.

    Attributes:
        file: Parquet: phone_number, list_id, list_number, revenue_total (in ten-thousandths of the account's
            currency), conversion_count, click_count, signup_date; one row per contact. Contacts of which one of
            these, save the last, cannot be read are missing.
        started_at: before the first request; ISO 8601, UTC.
        finished_at: after the last reply.
        complete: whether it is proven that no contact was missed, as for a snapshot that is not fuzzy, and every
            one could be read. Where the account claims more contacts than it serves, nothing is proven.
    """

    file: Path
    started_at: str
    finished_at: str
    complete: bool


@contextmanager
def room_for_readings(settings: Settings) -> Iterator[Path]:
    """A folder for readings, gone when the block ends: they are figures of the moment.

    Raises:
        StorageError: the disk refused.
    """
    with work_folder(settings.data_dir) as folder:
        yield folder


async def read_totals(
    client: TracklyClient, settings: Settings, folder: Path, on_read: OnRead | None = None
) -> Reading:
    """Read every contact's totals.

    Args:
        client: an open client.
        settings: how many requests to keep under way, and what is kept of phone numbers.
        folder: of `room_for_readings`; an earlier reading in it is replaced.
        on_read: called after every reply.

    Raises:
        AccessError, RequestError, ServiceError: as a pull.
        StorageError: the disk refused.
    """
    started_at, privacy = now(), Privacy.of(settings)
    see = reply_reader(CONTACTS.envelope, CONTACTS.identity, CONTACTS.order, PULLED["contacts"])
    raw = folder / "replies.parquet"
    with storage_errors("write", raw), pq.ParquetWriter(raw, _READ, compression="zstd") as writer:
        replies = rows = unreadable = 0

        async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - every reply is fresh
            nonlocal replies, rows, unreadable

            async def read(body: bytes) -> tuple[Seen, bytes]:
                seen = see(body)
                check(seen)
                return seen, body

            reply = await client.get_read(CONTACTS.path, query, reader(privacy, "contacts", read))
            seen, body = reply.value
            batch = _columns(body, replies)
            writer.write_batch(batch)
            unreadable += len(seen.keys) - batch.num_rows
            replies, rows = replies + 1, rows + len(seen.keys)
            if on_read:
                on_read(rows, seen.total)
            return seen

        evidence = await scan(CONTACTS, fetch, settings.concurrency)
    file = folder / "totals.parquet"
    contacts = _keep_latest(folder, raw, file)
    consistency, _ = judge(evidence, contacts)
    return Reading(file, started_at, now(), consistency != Consistency.FUZZY and not unreadable)


def _keep_latest(folder: Path, raw: Path, file: Path) -> int:
    """One row per contact, of several the one that was read last; returns how many there are."""
    names = ", ".join(_COLUMNS.names)
    with scratch(folder) as connection:
        ((contacts,),) = connection.execute(
            f"COPY (SELECT {names} FROM read_parquet({literal(str(raw))})"
            " QUALIFY row_number() OVER (PARTITION BY phone_number, list_id ORDER BY reply DESC) = 1)"
            f" TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()
    raw.unlink()
    return int(contacts)


class _Reply(msgspec.Struct):
    contacts: list[_Contact]


class _RawReply(msgspec.Struct):
    contacts: list[msgspec.Raw] | None = None


_rows = msgspec.json.Decoder(_Reply)
_raw_rows = msgspec.json.Decoder(_RawReply)
_row = msgspec.json.Decoder(_Contact, strict=False)  # figures may be written as texts


def _columns(body: bytes, reply: int) -> pa.RecordBatch:
    try:
        contacts = _rows.decode(body).contacts
    except msgspec.DecodeError:
        found = _raw_rows.decode(body)  # the scan has read it, so it is JSON of this shape
        contacts = [row for raw in found.contacts or () if (row := _one(raw))]
    contacts = [row for row in contacts if abs(row.revenue_total) < LARGEST and _is_somebody(row)]
    columns: list[list[Any]] = [
        [row.phone_number for row in contacts],
        [row.list_id for row in contacts],
        [row.list_number for row in contacts],
        [units(row.revenue_total) for row in contacts],
        [row.conversion_count for row in contacts],
        [row.click_count for row in contacts],
        [row.signup_date if isinstance(row.signup_date, str) else None for row in contacts],
        [reply] * len(contacts),
    ]
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, _READ, strict=True)], schema=_READ
    )


def _is_somebody(row: _Contact) -> bool:
    """Whether a row's key is usable: without one it may be any contact's."""
    return has_usable_key(PULLED["contacts"], (row.phone_number, row.list_id))


def _one(raw: msgspec.Raw) -> _Contact | None:
    try:
        return _row.decode(raw)
    except msgspec.DecodeError:
        return None
