"""Every contact's current totals, by which a push settles rows without an answer.

The scan is the same as that of a pull, but only the totals are kept, and nothing is published. Every row that a pull
accepts is read with the same key and the same figures. Beyond that, this decoder is less strict on purpose, since a
contact that cannot be read leaves rows in doubt: a figure may be written as a text, and errors in other columns and
broken checks are ignored (a pull quarantines such rows). Keys are checked as strictly as in a pull. What does not
belong here: what the totals mean for rows in doubt (`pipelines.push.revenue.settle.settle`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.databases.duckdb_scratch import scratch
from pipelines.databases.parquet_files import COMPRESSION, write_parquet
from pipelines.privacy import Privacy
from pipelines.pull.consistency import judge
from pipelines.pull.decode.row_keys import ReplyReader, Seen, has_usable_key
from pipelines.pull.endpoints import CONTACTS
from pipelines.pull.read.scan import scan
from pipelines.pull.replies.accept import Acceptance, Check
from pipelines.pull.replies.distinct_rows import Distinct
from pipelines.runs.recording import now
from pipelines.settings import Settings
from pipelines.storage import storage_errors, work_folder
from pipelines.trackly.client import Query, TracklyClient
from schemas.columns import Integer, Money
from schemas.derived.tables import literal
from schemas.own_tables.sync import Consistency
from schemas.registry import PULLED
from schemas.values.money import units

OnRead = Callable[[int, int | None], None]
"""Called with the number of contacts read so far, and the total if the API gives one."""

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
    """The fields kept of a row of GET /contacts."""

    phone_number: str
    list_id: Integer
    revenue_total: Money
    conversion_count: Integer
    click_count: Integer
    list_number: str | None = None
    signup_date: Any = None


@dataclass(frozen=True, slots=True)
class ContactTotals:
    """The totals of every contact, read by one scan.

    Attributes:
        file: Parquet: phone_number, list_id, list_number, revenue_total (in ten-thousandths of the account's
            currency), conversion_count, click_count, signup_date; one row per contact. Contacts are missing if a
            value other than the last cannot be read.
        started_at: time before the first request; ISO 8601, UTC.
        finished_at: time after the last reply; the same form.
        complete: whether it is proven that no contact was missed, as for a snapshot that is not fuzzy, and every
            one could be read. Where the account claims more contacts than it serves, nothing is proven.
    """

    file: Path
    started_at: str
    finished_at: str
    complete: bool


@contextmanager
def totals_folder(settings: Settings) -> Iterator[Path]:
    """Yield a folder for totals, which is deleted when the block ends, since totals are soon outdated.

    Raises:
        StorageError: the disk refused.
    """
    with work_folder(settings.data_dir) as folder:
        yield folder


async def read_totals(
    client: TracklyClient, settings: Settings, folder: Path, on_read: OnRead | None = None
) -> ContactTotals:
    """Read every contact's totals.

    Args:
        client: an open client.
        settings: the number of requests under way, and how phone numbers are kept.
        folder: from `totals_folder`; earlier totals in it are replaced.
        on_read: called after every reply.

    Raises:
        AccessError, RequestError, ServiceError: as in a pull.
        StorageError: the disk refused.
    """
    started_at, replies = now(), folder / "replies.parquet"
    with (
        storage_errors("write", replies),
        pq.ParquetWriter(replies, _READ, compression=COMPRESSION) as writer,
    ):
        reader = _Reader(client, Privacy.of(settings), writer, on_read)
        evidence = await scan(CONTACTS, reader.fetch, settings.concurrency)
    file = folder / "totals.parquet"
    contacts = _keep_latest(folder, replies, file)
    if on_read:
        on_read(contacts, contacts)
    consistency, _ = judge(evidence, contacts)
    complete = consistency != Consistency.FUZZY and not reader.unreadable
    return ContactTotals(file, started_at, now(), complete)


class _Reader:
    """Gets replies and writes their totals to a file.

    Args:
        client: an open client.
        privacy: how phone numbers are kept.
        writer: writes the file with every reply's contacts.
        on_read: called after every reply.

    Attributes:
        unreadable: rows that could not be read.
    """

    def __init__(
        self, client: TracklyClient, privacy: Privacy, writer: pq.ParquetWriter, on_read: OnRead | None
    ) -> None:
        self.unreadable = 0
        self._client = client
        self._writer = writer
        self._on_read = on_read
        self._acceptance = Acceptance(privacy, "contacts", _seen)
        self._replies = 0
        self._distinct = Distinct()

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG002 - all are fresh
        """Get one reply; see `read.pages.Fetch`."""
        reply = await self._client.get(CONTACTS.path, query, partial(self._acceptance.accepted, check))
        text, (seen,) = reply.value
        batch = columns(text, self._replies)
        self._writer.write_batch(batch)
        self.unreadable += len(seen.keys) - batch.num_rows
        self._replies += 1
        if self._on_read:
            self._on_read(self._distinct.add(seen.keys), seen.total)
        return seen


class _Seen(NamedTuple):
    """A reply whose part for the scan has been decoded, and nothing else."""

    seen: Seen


_see = ReplyReader(CONTACTS.envelope, CONTACTS.identity, CONTACTS.order, PULLED["contacts"])


def _seen(text: bytes) -> _Seen:
    return _Seen(_see(text))


def _keep_latest(folder: Path, replies: Path, file: Path) -> int:
    """Keep one row per contact, the one that was read last; return the number of contacts.

    Args:
        folder: for DuckDB's temporary files.
        replies: the file with every reply's contacts; it is deleted.
        file: the file to write.
    """
    names = ", ".join(_COLUMNS.names)
    with scratch(folder) as connection:
        contacts = write_parquet(
            connection,
            f"SELECT {names} FROM read_parquet({literal(str(replies))})"
            " QUALIFY row_number() OVER (PARTITION BY phone_number, list_id ORDER BY reply DESC) = 1",
            file,
        )
    replies.unlink()
    return contacts


class _Reply(msgspec.Struct):
    contacts: list[_Contact]


class _RawReply(msgspec.Struct):
    contacts: list[msgspec.Raw] | None = None


class _Key(msgspec.Struct):
    phone_number: str
    list_id: Integer


_rows = msgspec.json.Decoder(_Reply)
_raw_rows = msgspec.json.Decoder(_RawReply)
_key = msgspec.json.Decoder(_Key)
_row = msgspec.json.Decoder(_Contact, strict=False)  # figures may be written as texts, keys may not


def columns(text: bytes, reply: int) -> pa.RecordBatch:
    """Return the totals in a reply of GET /contacts, without rows that cannot be read.

    Args:
        text: of the reply; the scan has read it, so it is JSON of this shape.
        reply: the reply's number, which is added to each row.

    Returns:
        The columns of the file of totals, and `reply`.
    """
    contacts = list(filter(_is_somebody, _contacts(text)))
    values = {name: [getattr(row, name) for row in contacts] for name in _Contact.__struct_fields__}
    values["revenue_total"] = list(map(units, values["revenue_total"]))
    values["signup_date"] = [date if isinstance(date, str) else None for date in values["signup_date"]]
    values["reply"] = [reply] * len(contacts)
    arrays = [pa.array(values[field.name], field.type) for field in _READ]
    return pa.record_batch(arrays, schema=_READ)


def _contacts(text: bytes) -> list[_Contact]:
    try:
        return _rows.decode(text).contacts
    except (msgspec.DecodeError, UnicodeDecodeError):
        raws = _raw_rows.decode(text).contacts or ()
        return [row for raw in raws if (row := _one(raw))]


def _is_somebody(row: _Contact) -> bool:
    """Whether a row's key is usable; without a usable key, the row may belong to any contact."""
    return has_usable_key(PULLED["contacts"], (row.phone_number, row.list_id))


def _one(raw: msgspec.Raw) -> _Contact | None:
    try:
        _key.decode(raw)
        return _row.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
