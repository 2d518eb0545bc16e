"""Notes of calls of revenue under way, written beside the archive before the calls leave (`parquet/imports/pushed/`).

    under-way         one line per call since calls.parquet was written, when its intent is recorded
    under-way-size    how many bytes of it are on the disk for certain: a shorter file has lost its end

Each line is on the disk before its call leaves. What does not belong here: the outcomes of calls (`pushed_calls`).
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.errors import StorageError
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sync_file, sync_folder

if TYPE_CHECKING:  # `status` must start fast
    from pipelines.push.ledger.ledger import Ledger
    from pipelines.push.ledger.statements import LedgerRows

_UNDER_WAY, _SIZE = "under-way", "under-way-size"
_END = "."
_COLUMNS = ("identity", "message_id", "amount")
_WHOLE = re.compile(rb'(\d[\dT:.+-]*)\t(\d+)\t(\{"identity": \[[ -~]*\]\})\t\.')
_BEGUN = re.compile(rb"(\d[\dT:.+-]*(\t(\d+(\t(\{[ -~]*)?)?)?)?)?\0*")
"""A line that was cut off while it was written; a power cut may leave zero bytes in its place."""


class CallUnderWay(NamedTuple):
    """A call of revenue that left after calls.parquet was written.

    Attributes:
        at: when it was meant to be sent; ISO 8601, UTC.
        size: its number of rows.
        rows: its rows as JSON: lists of identity, message_id and amount, which is in ten-thousandths.
    """

    at: str
    size: int
    rows: str


def pushed_folder(settings: Settings) -> Path:
    """Return the folder of the notes."""
    return settings.parquet_dir / "imports" / "pushed"


def begin_notes(settings: Settings) -> None:
    """Show that from now on each call is noted before it leaves; call this before the archive gets the calls' rows.

    Raises:
        StorageError: the disk refused.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("write", path):
        private_folder(path.parent)
        path.touch()
        sync_folder(path.parent)


def noting(settings: Settings, ledger: "Ledger") -> "Callable[[int, LedgerRows], Awaitable[None]]":
    """Return a function that notes each call of revenue before it leaves, by its number in a ledger."""
    synced = 0

    async def note(number: int, rows: "LedgerRows") -> None:
        nonlocal synced
        size = note_call(settings, ledger.intended_at(number), rows)
        await asyncio.to_thread(sync_notes, settings)  # other calls go on meanwhile
        if size > synced:
            synced = size
            note_size(settings, size)

    return note


def note_call(settings: Settings, at: str, rows: "LedgerRows") -> int:
    """Note that a call of revenue is about to leave; it must not leave before `sync_notes`.

    Args:
        settings: the place of the archive.
        at: when it was meant to be sent, as in the ledger.
        rows: its rows.

    Returns:
        The size of the notes in bytes, for `note_size` after `sync_notes`.

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
    """Sync the notes to the disk, so that they survive a power cut.

    Raises:
        StorageError: the disk refused; the call must not leave.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("write", path):
        sync_file(path)


def note_size(settings: Settings, size: int) -> None:
    """Note how many bytes of the notes are surely on the disk; not synced, as a smaller number does no harm.

    Args:
        settings: the place of the archive.
        size: in bytes; within one push it never decreases.

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


def remove_notes(settings: Settings) -> None:
    """Remove the notes; calls.parquet must have all of their calls.

    Raises:
        OSError: the disk refused.
    """
    (pushed_folder(settings) / _SIZE).unlink(missing_ok=True)
    (pushed_folder(settings) / _UNDER_WAY).unlink(missing_ok=True)


def are_noted(settings: Settings) -> bool:
    """Return whether calls are noted since `begin_notes`."""
    return (pushed_folder(settings) / _UNDER_WAY).exists()


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refuse_cut(path: Path) -> None:
    """Raise if the notes lack their end. A push under way writes notes first and removes their size first."""
    noted_in = path.with_name(_SIZE)

    def lacking() -> str:
        text = noted_in.read_text("ascii", "replace") if noted_in.exists() else ""
        return text if text.isdecimal() and _size_of(path) < int(text) else ""

    if (first := lacking()) and lacking() == first:
        raise StorageError(f"{path} is damaged: its end is missing.", without_notes(path))


def calls_under_way(settings: Settings) -> Iterator[CallUnderWay]:
    """Yield the calls since calls.parquet was written. A line that was cut off is of a call that did not leave.

    Raises:
        StorageError: the notes cannot be read, or are damaged.
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
    """Return the call of a line; None if the line was cut off or is not a call."""
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
    """Return the rows of a call column by column: identity, message_id, amount.

    Args:
        call: the call.
        settings: the place of the archive, for the error.

    Raises:
        StorageError: the rows are damaged.
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
    """Return the remedy for a damaged file of the folder, and what is lost without a backup.

    Args:
        path: the file.
    """
    return (
        f"Restore {path.parent} from a backup. Without a backup, if the ledger is the latest one: move that folder "
        "away and push; it is written again from the ledger. If the ledger is lost or an older copy: move away that "
        "folder and also the older ledger, which would send revenue twice; then trackly-sync adopt takes over what "
        "the warehouse and the archive have, and trackly-sync resolve settles the rows that are in doubt."
    )
