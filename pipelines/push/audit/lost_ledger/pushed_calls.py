"""What was pushed, noted beside the archive: it outlives the warehouse and the ledger (`parquet/imports/pushed/`).

    calls.parquet      imports.chunks, as last published
    revenue.parquet    the rows of revenue of these calls: what each is known by, and what became of it
    under-way          one line per call of revenue since: written when its intent is on record, before it leaves
    under-way-size     how many bytes of it are surely on the disk: a file of fewer has lost its end

A Parquet file is written again where what it holds has changed since, which its own digest shows. A file that
holds something else than was written shows by it too.

The archive itself says what was about to be sent. Whether it was, and what came of it, is here. Each line is on the
disk before its call leaves. What does not belong here: comparing it with a ledger (`detect`).
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.databases.parquet_files import write_parquet
from pipelines.errors import StorageError
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sync_file, sync_folder, write_durably
from schemas.derived.tables import literal

if TYPE_CHECKING:  # status answers at once
    import duckdb

    from pipelines.push.ledger.statements import LedgerRows

_CALLS, _ROWS, _UNDER_WAY, _SIZE = "calls.parquet", "revenue.parquet", "under-way", "under-way-size"
_ASIDE = "emptied-"
_END = "."
_COLUMNS = ("identity", "message_id", "amount")
_KEPT = "identity, outcome, code, reason, attempt, r.message_id, revenue, offer_id, happened_at, in_input"
_DIGEST = "digest"
_WHOLE = re.compile(rb'(\d[\dT:.+-]*)\t(\d+)\t(\{"identity": \[[ -~]*\]\})\t\.')
_BEGUN = re.compile(rb"(\d[\dT:.+-]*(\t(\d+(\t(\{[ -~]*)?)?)?)?)?\0*")
"""A line that was cut off while it was written; a power cut may leave zeros in its place."""

_REVENUE = (
    f"SELECT {_KEPT}, c.intended_at FROM imports.records AS r JOIN imports.chunks AS c ON c.chunk = r.chunk"
    f" WHERE r.dataset = '{REVENUE}' AND identity IS NOT NULL"
)


class CallUnderWay(NamedTuple):
    """A call of revenue that left after calls.parquet was written.

    Attributes:
        at: when it was meant to be sent; ISO 8601, UTC.
        size: how many rows it has.
        rows: these as JSON: lists of identity, message_id and amount, which is in ten-thousandths.
    """

    at: str
    size: int
    rows: str


def pushed_folder(settings: Settings) -> Path:
    """Where it lies."""
    return settings.parquet_dir / "imports" / "pushed"


def pushed_files(settings: Settings) -> tuple[Path, Path]:
    """The calls and their revenue; they need not be there."""
    folder = pushed_folder(settings)
    return folder / _CALLS, folder / _ROWS


def begin_notes(settings: Settings) -> None:
    """Show that from now on each call is noted before it leaves; for before the archive has its rows.

    Raises:
        StorageError: the disk refused.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("write", path):
        private_folder(path.parent)
        path.touch()
        sync_folder(path.parent)


def note_call(settings: Settings, at: str, rows: "LedgerRows") -> int:
    """Note that a call of revenue is about to leave; it must not before `sync_notes`.

    Args:
        settings: where the archive lies.
        at: when it was meant to be sent, as the ledger has it.
        rows: its rows.

    Returns:
        How many bytes are noted with it, for `note_size` after `sync_notes`.

    Raises:
        StorageError: the disk refused; the call must not leave.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    columns = {name: getattr(rows, name) for name in _COLUMNS}
    line = f"\n{at}\t{len(rows.identity)}\t{json.dumps(columns)}\t{_END}"
    with storage_errors("write", path):
        private_folder(path.parent)
        with path.open("ab") as file:
            file.write(line.encode())
            return file.tell()


def sync_notes(settings: Settings) -> None:
    """Make what was noted so far outlive a power cut.

    Raises:
        StorageError: the disk refused; the call must not leave.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("write", path):
        sync_file(path)


def note_size(settings: Settings, size: int) -> None:
    """Note how many bytes of the notes are surely on the disk; without a sync, since a smaller number does no harm.

    Args:
        settings: where the archive lies.
        size: in bytes; of one push never less than before.

    Raises:
        StorageError: the disk refused; the call must not leave.
    """
    path = pushed_folder(settings) / _SIZE
    with storage_errors("write", path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, f"{size:020}".encode(), 0)
        finally:
            os.close(handle)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refuse_cut(path: Path) -> None:
    """See that the notes have their end; a push that goes on writes them first, and removes their size first."""
    noted_in = path.with_name(_SIZE)

    def lacking() -> str:
        text = noted_in.read_text("ascii", "replace") if noted_in.exists() else ""
        return text if text.isdecimal() and _size_of(path) < int(text) else ""

    if (first := lacking()) and lacking() == first:
        raise StorageError(f"{path} is damaged: its end is missing.", without_notes(path))


def calls_under_way(settings: Settings) -> Iterator[CallUnderWay]:
    """The calls since calls.parquet was written. A line that was cut off is of a call that did not leave.

    Raises:
        StorageError: they cannot be read, or are damaged.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("read", path):
        _refuse_cut(path)
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                if call := _call(line.rstrip(b"\n")):
                    yield call
                elif not _BEGUN.fullmatch(line.rstrip(b"\n")):
                    raise StorageError(f"{path} is damaged: a line of it is no call.", without_notes(path))


def _call(line: bytes) -> CallUnderWay | None:
    """The call that a line has; None where it was cut off, or is none."""
    found = _WHOLE.fullmatch(line)
    if found is None:
        return None
    at, size, rows = (part.decode("ascii") for part in found.groups())
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return None
    return CallUnderWay(at, int(size), rows)


def rows_of(call: CallUnderWay, settings: Settings) -> dict[str, list[Any]]:
    """The rows of a call column by column: identity, message_id, amount.

    Args:
        call: the call.
        settings: where the archive lies, for the error.

    Raises:
        StorageError: they are damaged.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    try:
        columns: dict[str, list[Any]] = json.loads(call.rows)
        sizes = {len(columns[name]) for name in _COLUMNS}
    except (ValueError, TypeError, KeyError):
        sizes = set()
    if sizes != {call.size}:
        raise StorageError(f"{path} is damaged: the rows of a call are not complete.", without_notes(path))
    return columns


def without_notes(path: Path) -> str:
    """What to do where a file of the folder is damaged, and what is lost by it: for people.

    Args:
        path: the file.
    """
    return (
        f"Put {path.parent} back from a backup. Without one, where the ledger is the latest one: move that folder "
        "away and push; it is written again from the ledger. Where the ledger is lost or an older copy: move away "
        "that folder and also the older ledger, which would send revenue twice; then trackly-sync adopt takes over "
        "what the warehouse and the archive have, and trackly-sync resolve settles what is in doubt of it."
    )


def note_pushed(connection: "duckdb.DuckDBPyConnection", settings: Settings) -> None:
    """Bring both files up to date with the tables of schema imports; what was under way is among these by then.

    Rows come first: a call is known only together with them.

    Args:
        connection: to a warehouse whose tables were filled from a ledger that knows all calls noted so far.
        settings: where the archive lies.

    Raises:
        StorageError: the disk refused.
    """
    calls, rows = pushed_files(settings)
    with storage_errors("write", calls):
        private_folder(calls.parent)
        _write(connection, _REVENUE, rows)
        _write(connection, "FROM imports.chunks", calls)
        (calls.parent / _SIZE).unlink(missing_ok=True)
        (calls.parent / _UNDER_WAY).unlink(missing_ok=True)


def _write(connection: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    """Write the rows of a query, unless they are those that the file was written of."""
    digest = _digest(connection, query)
    if digest == _digest_in(connection, path):
        return
    draft = path.with_name(f".{path.name}.building")
    try:
        write_parquet(connection, query, draft, f"KV_METADATA {{{_DIGEST}: {literal(digest)}}}")
        sync_file(draft)
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _digest(connection: "duckdb.DuckDBPyConnection", query: str) -> str:
    """What rows are known by, in any order, at a tenth of what it costs to write them; by version of DuckDB."""
    return _looked_through(connection, query, ())[0]


def _looked_through(
    connection: "duckdb.DuckDBPyConnection", query: str, needed: Sequence[str]
) -> tuple[str, str | None]:
    """The digest of rows, and the first of some columns that has a null.

    Args:
        connection: any.
        query: of the rows.
        needed: names of columns.
    """
    first = " ".join(f"WHEN count({name}) < count(*) THEN '{name}'" for name in needed)
    lacking = f"CASE {first} END" if needed else "NULL"
    hashes = "hash(*COLUMNS(*))"
    ((version, rows, xor, total, name),) = connection.execute(
        f"SELECT version(), count(*), bit_xor({hashes}), sum({hashes}), {lacking} FROM ({query})"
    ).fetchall()
    return f"{version} {rows} {xor} {total}", name


def _digest_in(connection: "duckdb.DuckDBPyConnection", path: Path) -> str:
    """The digest that a file has; "" where it has none, or cannot be read: it is written again then."""
    import duckdb  # noqa: PLC0415 - status answers at once

    known = f"SELECT value::VARCHAR FROM parquet_kv_metadata({literal(str(path))}) WHERE key::VARCHAR = '{_DIGEST}'"
    try:
        found = connection.execute(known).fetchone() if path.exists() else None
    except duckdb.Error:
        return ""
    return str(found[0]) if found else ""


def refuse_altered(connection: "duckdb.DuckDBPyConnection", path: Path, needed: Sequence[str]) -> None:
    """See that a file holds what was written: that is known of those that this version of DuckDB wrote.

    Args:
        connection: that reads it.
        path: the file.
        needed: columns that have no nulls, of whatever version it is.

    Raises:
        StorageError: it does not.
    """
    digest, lacking = _looked_through(connection, f"FROM read_parquet({literal(str(path))})", needed)
    if lacking:
        raise StorageError(f"{path} is damaged: it has rows without {lacking}.", without_notes(path))
    written = _digest_in(connection, path)
    if written.partition(" ")[0] == digest.partition(" ")[0] and written != digest:
        raise StorageError(f"{path} is damaged: it does not hold what was written.", without_notes(path))


def set_aside(settings: Settings, at: str, statement: bytes) -> None:
    """Put what was noted where nothing asks for it any more, with a statement of why.

    Args:
        settings: where the archive lies.
        at: when, as part of a file's name.
        statement: kept beside it.

    Raises:
        StorageError: the disk refused.
    """
    folder, aside = pushed_folder(settings), pushed_folder(settings).with_name(f"{_ASIDE}{at}")
    with storage_errors("move", folder):
        private_folder(folder.parent)
        if folder.exists():
            folder.rename(aside)
        write_durably(aside / "statement.json", statement)


def is_noted(settings: Settings) -> bool:
    """Whether a push has noted its calls, or they were set aside; else an earlier version filled the archive.

    Raises:
        StorageError: the folder cannot be read.
    """
    return pushed_files(settings)[0].exists() or is_set_aside(settings)


def are_begun(settings: Settings) -> bool:
    """Whether each call was noted since the archive began, or what was before was set aside; see `begin_notes`.

    Raises:
        StorageError: the folder cannot be read.
    """
    return (pushed_folder(settings) / _UNDER_WAY).exists() or is_noted(settings)


def is_set_aside(settings: Settings) -> bool:
    """Whether somebody stated that what was pushed up to then does not count.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = pushed_folder(settings).parent
    with storage_errors("read", folder):
        return any(folder.glob(f"{_ASIDE}*"))
