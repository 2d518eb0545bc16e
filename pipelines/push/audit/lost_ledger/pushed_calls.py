"""Notes beside the archive of what was pushed, which survive warehouse and ledger (`parquet/imports/pushed/`).

    calls.parquet      imports.chunks, as last published
    revenue.parquet    the rows of revenue of these calls: their identities and outcomes

A file is written again if its rows have changed, which its digest shows; the digest also shows whether a file still
holds what was written. The archive itself says which rows were about to be sent. Whether they were, and their
outcome, is noted here. What does not belong here: calls since these files were written (`calls_under_way`), and
comparing them with a ledger (`detect`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.databases.parquet_files import write_parquet
from pipelines.errors import StorageError
from pipelines.push.audit.lost_ledger.calls_under_way import (
    are_noted,
    pushed_folder,
    remove_notes,
    without_notes,
)
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, sync_file, sync_folder, write_durably
from schemas.derived.tables import literal

if TYPE_CHECKING:  # `status` must start fast
    import duckdb


_CALLS, _ROWS = "calls.parquet", "revenue.parquet"
_ASIDE = "emptied-"
_KEPT = "identity, outcome, code, reason, attempt, r.message_id, revenue, offer_id, happened_at, in_input"
_DIGEST = "digest"

_REVENUE = (
    f"SELECT {_KEPT}, c.intended_at FROM imports.records AS r JOIN imports.chunks AS c ON c.chunk = r.chunk"
    f" WHERE r.dataset = '{REVENUE}' AND identity IS NOT NULL"
)


def pushed_files(settings: Settings) -> tuple[Path, Path]:
    """Return the paths of the calls and of their revenue; the files may not exist."""
    folder = pushed_folder(settings)
    return folder / _CALLS, folder / _ROWS


def note_pushed(connection: "duckdb.DuckDBPyConnection", settings: Settings) -> None:
    """Update both files from the tables of schema imports, which now have the calls that were noted as under way.

    The rows are written first: a call is known only together with its rows.

    Args:
        connection: a connection to a warehouse whose tables were filled from a ledger that knows all calls noted so
            far.
        settings: the place of the archive.
    """
    calls, rows = pushed_files(settings)
    with storage_errors("write", calls):
        private_folder(calls.parent)
        _write(connection, _REVENUE, rows)
        _write(connection, "FROM imports.chunks", calls)
        remove_notes(settings)


def _write(connection: "duckdb.DuckDBPyConnection", query: str, path: Path) -> None:
    """Write the rows of a query to a file, unless it was written from the same rows."""
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
    """Return a digest of rows in any order, at a tenth of the cost of writing them; by version of DuckDB."""
    return _looked_through(connection, query, ())[0]


def _looked_through(
    connection: "duckdb.DuckDBPyConnection", query: str, needed: Sequence[str]
) -> tuple[str, str | None]:
    """Return the digest of rows, and the first of the needed columns that has a null.

    Args:
        connection: any connection.
        query: the query of the rows.
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
    """Return the digest in a file; "" if it has none or cannot be read, so that it is written again."""
    import duckdb  # noqa: PLC0415 - `status` must start fast

    known = f"SELECT value::VARCHAR FROM parquet_kv_metadata({literal(str(path))}) WHERE key::VARCHAR = '{_DIGEST}'"
    try:
        found = connection.execute(known).fetchone() if path.exists() else None
    except duckdb.Error:
        return ""
    return str(found[0]) if found else ""


def refuse_altered(connection: "duckdb.DuckDBPyConnection", path: Path, needed: Sequence[str]) -> None:
    """Raise if a file does not hold what was written; this is known only of files written by this version of DuckDB.

    Args:
        connection: the connection that reads the file.
        path: the file.
        needed: columns that have no nulls, in files of every version.

    Raises:
        StorageError: the file is damaged.
    """
    digest, lacking = _looked_through(connection, f"FROM read_parquet({literal(str(path))})", needed)
    if lacking:
        raise StorageError(f"{path} is damaged: it has rows without {lacking}.", without_notes(path))
    written = _digest_in(connection, path)
    if written.partition(" ")[0] == digest.partition(" ")[0] and written != digest:
        raise StorageError(f"{path} is damaged: it does not hold what was written.", without_notes(path))


def set_aside(settings: Settings, at: str, statement: bytes) -> None:
    """Move the notes aside, so that they do not count any more, with a statement of the reason.

    Args:
        settings: the place of the archive.
        at: the time, as part of a file's name.
        statement: the content of a file beside the notes.

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
    """Return whether a push has noted its calls, or such notes were set aside; else an earlier version archived.

    Raises:
        StorageError: the folder cannot be read.
    """
    return pushed_files(settings)[0].exists() or is_set_aside(settings)


def are_begun(settings: Settings) -> bool:
    """Return whether each call was noted since the archive began, or earlier notes were set aside; see `begin_notes`.

    Raises:
        StorageError: the folder cannot be read.
    """
    return are_noted(settings) or is_noted(settings)


def is_set_aside(settings: Settings) -> bool:
    """Return whether a person stated that what was pushed before does not count.

    Raises:
        StorageError: the folder cannot be read.
    """
    folder = pushed_folder(settings).parent
    with storage_errors("read", folder):
        return any(folder.glob(f"{_ASIDE}*"))
