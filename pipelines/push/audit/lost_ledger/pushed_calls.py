"""What was pushed, noted beside the archive: it outlives the warehouse and the ledger (`parquet/imports/pushed/`).

    calls.parquet      imports.chunks, as last published
    revenue.parquet    the rows of revenue of these calls: what each is known by, and what became of it
    under-way          one line per call of revenue since: written when its intent is on record, before it leaves

The archive itself says what was about to be sent. Whether it was, and what came of it, is here. A line is not synced:
it outlives the process, not a power cut. What does not belong here: comparing it with a ledger (`detect`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sync_file, sync_folder, write_durably
from schemas.derived.tables import literal

if TYPE_CHECKING:  # status answers at once
    import duckdb

    from pipelines.push.ledger.statements import LedgerRows

_CALLS, _ROWS, _UNDER_WAY = "calls.parquet", "revenue.parquet", "under-way"
_ASIDE = "emptied-"
_END = "."
_KEPT = "identity, outcome, code, reason, attempt, r.message_id, revenue, in_input"
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


def note_call(settings: Settings, at: str, rows: "LedgerRows") -> None:
    """Note that a call of revenue is about to leave.

    Args:
        settings: where the archive lies.
        at: when it was meant to be sent, as the ledger has it.
        rows: its rows.

    Raises:
        StorageError: the disk refused; the call must not leave.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    columns = {"identity": rows.identity, "message_id": rows.message_id, "amount": rows.amount}
    line = f"\n{at}\t{len(rows.identity)}\t{json.dumps(columns)}\t{_END}"
    with storage_errors("write", path):
        private_folder(path.parent)
        with path.open("ab") as file:
            file.write(line.encode())


def calls_under_way(settings: Settings) -> Iterator[CallUnderWay]:
    """The calls since calls.parquet was written. A line that was cut off is of a call that did not leave.

    Raises:
        StorageError: they cannot be read.
    """
    path = pushed_folder(settings) / _UNDER_WAY
    with storage_errors("read", path):
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                *call, end = line.decode().rstrip("\n").split("\t")
                if call and end == _END:
                    at, size, rows = call
                    yield CallUnderWay(at, int(size), rows)


def note_pushed(connection: "duckdb.DuckDBPyConnection", settings: Settings) -> None:
    """Write both files from the tables of schema imports; what was under way is among these by then.

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
        (calls.parent / _UNDER_WAY).unlink(missing_ok=True)


def _write(connection: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    draft = path.with_name(f".{path.name}.building")
    try:
        connection.execute(f"COPY ({query}) TO {literal(str(draft))} (FORMAT parquet, COMPRESSION zstd)")
        sync_file(draft)
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


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


def is_set_aside(settings: Settings) -> bool:
    """Whether somebody stated that what was pushed up to then does not count.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = pushed_folder(settings).parent
    with storage_errors("read", folder):
        return any(folder.glob(f"{_ASIDE}*"))
