"""Opens the records that may survive a ledger and know its calls: the warehouse, and the notes beside the archive.

Each is opened as a connection with the tables imports.chunks and imports.records, so that the same queries run on
both. What does not belong here: the queries (`detect`, `audit.adopt`), and writing the notes (`pushed_calls`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.databases.parquet_files import own_files
from pipelines.push.audit.archive.files import archive_folder, archived, reading_archive
from pipelines.push.audit.lost_ledger.calls_under_way import calls_under_way, rows_of, without_notes
from pipelines.push.audit.lost_ledger.pushed_calls import is_noted, note_pushed, pushed_files, refuse_altered
from pipelines.push.ledger.db.call_states import REVENUE, ChunkState
from pipelines.push.outcomes import NO_ANSWER, Outcome
from pipelines.settings import Settings
from pipelines.storage import is_there, storage_errors
from pipelines.warehouse.swap import reading
from schemas.derived.tables import TYPES, literal
from schemas.own_tables.imports import CHUNKS, RECORDS
from schemas.registry import PUSHED
from schemas.values.money import sql_amount

if TYPE_CHECKING:  # `status` must start fast
    from duckdb import DuckDBPyConnection

WAREHOUSE, ARCHIVE = "imports.chunks", "parquet/imports"
"""The surviving records, as messages name them."""

_CALLS = (
    "SELECT chunk, dataset, intended_at FROM imports.chunks"
    " WHERE state <> 'refused' AND list_contains(?, dataset)"
)
_ROW = "identity VARCHAR, chunk BIGINT, message_id VARCHAR, revenue DECIMAL(18, 4)"
_UNANSWERED = (
    f"'{REVENUE}' AS dataset, *, '{Outcome.IN_DOUBT}' AS outcome, '{NO_ANSWER}' AS code,"
    " 'it was about to be sent, and its answer is not on record' AS reason, 1 AS attempt, false AS in_input"
)


@contextmanager
def opened_warehouse(settings: Settings) -> "Iterator[DuckDBPyConnection | None]":
    """Open the warehouse; yield None if there is none, or nothing was pushed.

    Raises:
        StorageError: the warehouse cannot be read.
    """
    if not is_there(settings.warehouse):
        yield None
        return
    from duckdb import CatalogException  # noqa: PLC0415 - `status` must start fast

    with reading(settings.warehouse) as connection:
        try:
            connection.execute("FROM imports.chunks LIMIT 0")
        except CatalogException:
            yield None
        else:
            yield connection


@contextmanager
def opened_archive(settings: Settings, *, with_old: bool = False) -> "Iterator[DuckDBPyConnection | None]":
    """Open the notes beside the archive; yield None if there are none.

    Args:
        settings: the place of the archive.
        with_old: take an archive without notes, which an earlier version filled, as one call without a known answer:
            its rows were sent, or were about to be. `add_rows` leaves out rows that other records know.

    Raises:
        StorageError: the notes cannot be read.
    """
    under_way = [(call.at, call.size) for call in calls_under_way(settings)]
    old = archived(archive_folder(settings, REVENUE)) if with_old and not is_noted(settings) else []
    if not (pushed_files(settings)[0].exists() or under_way or old):
        yield None
        return
    from pipelines.databases.duckdb_instances import attached  # noqa: PLC0415 - `status` must start fast

    with _whole(settings), attached(None, "survivor") as connection:
        columns = ", ".join(f'"{field.name}" {TYPES[field.kind]}' for field in CHUNKS.fields)
        connection.execute(f"CREATE SCHEMA imports; CREATE TABLE imports.chunks ({columns})")
        _add_noted_calls(connection, settings)
        _add_calls(connection, range(-1, -len(under_way) - 1, -1), under_way)
        if old:
            _add_archive(connection, old)
        yield connection


@contextmanager
def _whole(settings: Settings) -> Iterator[None]:
    """Run a block that reads the notes, and perhaps the archive; an error names the damaged file."""
    noted = pushed_files(settings)
    with storage_errors("read", noted[0]), reading_archive(settings, (REVENUE,)):
        if noted[0].exists():
            with own_files(noted, without_notes, ("intended_at",)):
                yield
        else:
            yield


def calls_of(
    connection: "DuckDBPyConnection | None", datasets: Sequence[str] = tuple(PUSHED)
) -> dict[int, tuple[datetime, str]]:
    """Return the calls of a record by number: when each was meant to be sent, and its dataset.

    The numbers mean nothing to another ledger, which continues its own. No two calls have the same time.

    Args:
        connection: a connection to the record; None if there is none.
        datasets: the datasets whose calls are returned.
    """
    if connection is None:
        return {}
    found = connection.execute(_CALLS, [list(datasets)]).fetchall()
    return {number: (at, dataset) for number, dataset, at in found}


def records_of(connection: "DuckDBPyConnection") -> str:
    """Return SQL to select a record's imports.records from; columns that an earlier version lacked are null.

    Args:
        connection: a connection to the record.
    """
    there = {str(row[0]) for row in connection.execute("DESCRIBE imports.records").fetchall()}
    missing = [
        f'CAST(NULL AS {TYPES[field.kind]}) AS "{field.name}"'
        for field in RECORDS.fields
        if field.name not in there
    ]
    return f"(SELECT {', '.join(['*', *missing])} FROM imports.records)"


def archived_revenue(settings: Settings) -> frozenset[str]:
    """Return the identities of revenue in the archive: each row was about to be sent, and perhaps was.

    Args:
        settings: the place of the archive; it has files of revenue.

    Raises:
        StorageError: the archive cannot be read.
    """
    files = archived(archive_folder(settings, REVENUE))
    from pipelines.databases.duckdb_instances import attached  # noqa: PLC0415 - `status` must start fast

    with (
        storage_errors("read", files[0]),
        reading_archive(settings, (REVENUE,)),
        attached(None, "archive") as archive,
    ):
        rows = archive.execute(f"SELECT DISTINCT identity FROM read_parquet({_listed(files)})").fetchall()
    return frozenset(identity for (identity,) in rows)


def note_published(connection: "DuckDBPyConnection", settings: Settings, known: Collection[datetime]) -> None:
    """Note what was pushed beside the archive, unless the ledger lacks calls that are noted there.

    Args:
        connection: a connection to the new warehouse; schema imports is filled.
        settings: the place of the archive.
        known: when each call in the ledger was meant to be sent.

    Raises:
        StorageError: the disk refused.
    """
    noted = [datetime.fromisoformat(call.at) for call in calls_under_way(settings)]
    calls, _ = pushed_files(settings)
    if calls.exists():
        query = f"SELECT intended_at FROM read_parquet({literal(str(calls))}) WHERE dataset = '{REVENUE}'"
        with _whole(settings):
            noted += [at for (at,) in connection.execute(query).fetchall()]
    if all(at in known for at in noted):
        note_pushed(connection, settings)


def add_rows(connection: "DuckDBPyConnection", settings: Settings, sent: Sequence[str]) -> None:
    """Make imports.records, which only `adopt` needs, with the last known state of each row.

    Args:
        connection: the connection of `opened_archive`.
        settings: the place of the archive.
        sent: identities of rows that the warehouse has in a call, or that the ledger has; these records know more
            about a row than an old archive does.
    """
    connection.execute(f"CREATE TABLE unanswered ({_ROW})")
    query = "SELECT intended_at, chunk FROM imports.chunks WHERE chunk < 0"
    numbers = dict(connection.execute(query).fetchall())
    for call in calls_under_way(settings):
        if (number := numbers.pop(datetime.fromisoformat(call.at), None)) is not None:
            _add_rows_under_way(connection, number, rows_of(call, settings))
    for number in numbers.values():  # this call stands for an old archive
        _add_archived_rows(connection, number, archived(archive_folder(settings, REVENUE)), sent)
    calls, noted = pushed_files(settings)
    known = ""
    if calls.exists():
        refuse_altered(connection, noted, ("identity", "outcome", "intended_at"))
        known = (
            f" UNION ALL BY NAME SELECT '{REVENUE}' AS dataset, r.* EXCLUDE (intended_at), c.chunk"
            f" FROM read_parquet({literal(str(noted))}) AS r JOIN imports.chunks AS c USING (intended_at)"
            " WHERE identity NOT IN (SELECT identity FROM unanswered)"
        )
    connection.execute(f"CREATE VIEW imports.records AS SELECT {_UNANSWERED} FROM unanswered{known}")


def _add_rows_under_way(
    connection: "DuckDBPyConnection", number: int, rows: Mapping[str, Sequence[object]]
) -> None:
    """Add the rows of a call whose answer is unknown.

    Args:
        connection: with the table `unanswered`.
        number: the call's.
        rows: as `rows_of` gives them.
    """
    connection.execute(
        f"INSERT INTO unanswered SELECT identity, ?, message_id, {sql_amount('amount')}"
        " FROM (SELECT unnest(?::VARCHAR[]) AS identity, unnest(?::VARCHAR[]) AS message_id,"
        " unnest(?::BIGINT[]) AS amount)",
        [number, rows["identity"], rows["message_id"], rows["amount"]],
    )


def _add_archived_rows(
    connection: "DuckDBPyConnection", number: int, files: Sequence[Path], sent: Sequence[str]
) -> None:
    """Add the rows of an old archive that nothing else knows, as rows of one call; without rows, remove the call.

    Args:
        connection: with imports.chunks, and the table `unanswered`.
        number: the call's.
        files: the archive's.
        sent: as `add_rows` has it.
    """
    connection.execute(
        f"INSERT INTO unanswered SELECT identity, ?, NULL, revenue"
        f" FROM read_parquet({_listed(files)}, union_by_name = true, filename = 'file')"
        " WHERE identity NOT IN (SELECT identity FROM unanswered)"
        " AND identity NOT IN (SELECT unnest(?::VARCHAR[]))"
        " QUALIFY row_number() OVER (PARTITION BY identity ORDER BY file DESC, content) = 1",
        [number, sent],
    )
    counted = "SELECT count(*) FROM unanswered WHERE unanswered.chunk = chunks.chunk"
    connection.execute(f"UPDATE imports.chunks SET rows = ({counted}) WHERE chunk = ?", [number])
    connection.execute("DELETE FROM imports.chunks WHERE chunk = ? AND rows = 0", [number])


def _add_noted_calls(connection: "DuckDBPyConnection", settings: Settings) -> None:
    calls, _ = pushed_files(settings)
    if calls.exists():
        refuse_altered(connection, calls, ("chunk", "dataset", "state", "intended_at"))
        connection.execute(f"INSERT INTO imports.chunks BY NAME FROM read_parquet({literal(str(calls))})")


def _add_calls(
    connection: "DuckDBPyConnection", numbers: Sequence[int], calls: Sequence[tuple[str, int]]
) -> None:
    """Add calls without a known answer, except those that are there already.

    Args:
        connection: a connection with imports.chunks.
        numbers: negative numbers, which no ledger gives.
        calls: when each was meant to be sent (ISO 8601, UTC), and its number of records.
    """
    connection.execute(
        "INSERT INTO imports.chunks (chunk, dataset, state, rows, bytes, success_count, error_count,"
        f" duplicates_skipped, invalid_phones, intended_at) SELECT number, '{REVENUE}', '{ChunkState.LOST}', size, 0,"
        " 0, 0, 0, 0, meant FROM (SELECT unnest(?::BIGINT[]) AS number, unnest(?::VARCHAR[])::TIMESTAMPTZ AS meant,"
        " unnest(?::BIGINT[]) AS size) WHERE meant NOT IN (SELECT intended_at FROM imports.chunks)",
        [list(numbers), [at for at, _ in calls], [size for _, size in calls]],
    )


def _add_archive(connection: "DuckDBPyConnection", files: Sequence[Path]) -> None:
    """Add an archive without notes as one call, with the time of its newest file."""
    at = datetime.fromtimestamp(max(path.stat().st_mtime for path in files), UTC).isoformat()
    counted = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({_listed(files)})"
    ((rows, last),) = connection.execute(
        f"SELECT ({counted}), (SELECT coalesce(min(chunk), 0) FROM imports.chunks)"
    ).fetchall()
    _add_calls(connection, [min(last, 0) - 1], [(at, rows)])


def _listed(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(path)) for path in files)}]"
