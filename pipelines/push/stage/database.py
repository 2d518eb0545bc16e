"""The stage: the current history input of one dataset, typed, in a DuckDB file of its own.

It is rebuilt from the files by every intake and holds nothing that the ledger needs to keep. Tables:

    version   of these tables
    files     the input files in order: how they were when they were read (path, size, changed), and what was
              found in them: format, compression, encoding, dialect, the times that had no zone, the columns
              that are not ours, and notes for the plan
    inputs    the files that a `.sql` file among them reads, how they were when it ran
    input     one row per row of the input, in order: its place (row; in a text file also line and last_line),
              its values, or what is wrong with it, marks (see `values.formats`), and the digest of its values
              (`content`, see `values.content_digest`)
    verdicts  why a row of the input is not to be sent: quarantined, duplicate or parked; at most one per row. Those
              that are `fleeting` depend on the ledger and are given again whenever the stage is compared with it
    repeats   rows whose key occurs several times, and what they say (`checks.conflicts`)
    corrected rows that were sent and say something else by now, whatever came of them: `content` is of the file's
              row, `sent` of what was sent; null where an older program kept none (`checks.differing_rows`)
    differing those of them that are in the account
    ordinals  for revenue without a record_id, how often its values had occurred, from the second time on; `own` is
              the same by the input alone, null for the first time (`checks.revenue.overlaps`)
    synced    revenue that its network syncs to Trackly by itself, where that is to be held back
    risky     revenue that the API may well refuse, to go in chunks of which every error is named
    ready     a view: the rows without a verdict, each with its identity

What does not belong here: judging rows (`checks.validate`), and what was sent (`ledger`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import WITHOUT_LOG, attached
from pipelines.errors import StorageError, UsageError
from pipelines.privacy import KEEP_ALL, Privacy
from pipelines.push.files.find import Source
from pipelines.push.files.query_inputs import inputs_of
from pipelines.push.files.unusable import Unusable
from pipelines.push.stage.load import load
from pipelines.push.stage.query_cage import DEFAULT_BOUNDS, Bounds, readable
from pipelines.push.values.identity import identity_base
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors
from schemas.columns import PHONE, Dataset, Field
from schemas.derived.tables import TYPES

READ_ROWS = 50_000
"""Rows per batch in which a stage is read: pandera's cost is per call."""

VERSION = 13
"""Of the tables above; a stage of another version is rebuilt by the next intake."""

FINDINGS = {
    "corrected": {"seq": "BIGINT", "identity": "VARCHAR", "content": "BIGINT", "sent": "BIGINT"},
    "differing": {"seq": "BIGINT", "identity": "VARCHAR", "content": "BIGINT", "acknowledged": "BOOLEAN"},
}
"""The columns of two of these tables, which older stages have otherwise."""

_NAME = "this"
"""Of the stage as a catalog, beside others that are attached to its connection."""

_PLAIN = " USING COMPRESSION uncompressed"
"""For texts that differ in every row: to compress them takes longer than all else that loads a row."""

_LONG = " USING COMPRESSION zstd"
"""For long texts: to look for the best way to compress them costs more than all that it may save."""

Progress = Callable[[str, int, int], None]
"""Called with a dataset's name, how many of its rows are done, and how many there are (0: not known yet)."""


def stage_path(settings: Settings, dataset: str) -> Path:
    """Where the stage of a dataset lies."""
    return settings.data_dir / "push" / f"{dataset}.duckdb"


@contextmanager
def building(
    path: Path,
    dataset: Dataset,
    sources: Sequence[Source],
    warehouse: Path,
    bounds: Bounds = DEFAULT_BOUNDS,
    privacy: Privacy = KEEP_ALL,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new stage with the rows of all sources in `input`; it takes its place when the block ends well.

    Args:
        path: where it goes; what is in the making lies beside it.
        dataset: what the rows are of.
        sources: the files, in order.
        warehouse: what `.sql` files may read besides their own folder.
        bounds: what they may take.
        privacy: how digests of the rows are made; the connection has its macros.

    Raises:
        UsageError: a source cannot be used as it is; all such sources are named.
        StorageError: the disk refused; the stage before is as it was.
    """
    draft = path.with_name(f".{path.name}.building")
    with storage_errors("write", path):
        private_folder(path.parent)
        discard(draft)
        try:
            with attached(
                draft, _NAME, f" ({WITHOUT_LOG})", _limits(duckdb_memory.STAGE, draft)
            ) as connection:
                privacy.define(connection)
                _create(connection, dataset)
                unusable = Unusable()
                for number, source in enumerate(sources):
                    with unusable.noted(), _still(connection, number, source, warehouse, bounds):
                        rows = draft.with_name(f"{draft.name}.rows")
                        with readable(source, dataset.columns, warehouse, rows, bounds) as ready:
                            load(connection, dataset, number, ready)
                unusable.refuse()
                yield connection
                connection.execute("CHECKPOINT")
            # one that a killed push left would be applied to the new file
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
            os.replace(draft, path)  # noqa: PTH105 - the atomic step, by its own name
        finally:
            discard(draft)


@contextmanager
def stage_errors(path: Path) -> Iterator[None]:
    """A block that opens a stage beside something else; where it is damaged, it is what the error names.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        with storage_errors("read", path):
            yield
    except StorageError as error:
        if path.name in error.message:
            remedy = "Move it away and run the command again: the next push builds it from the history files."
            raise StorageError(error.message, remedy) from error
        raise  # of what stands beside it, with a remedy of its own


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The stage as an earlier intake left it.

    Raises:
        StorageError: there is none, or it cannot be used.
    """
    if not path.exists():
        raise StorageError(f"No history was taken in yet: {path} is not there.", "Run: trackly-sync push")
    with (
        storage_errors("open", path),
        attached(path, _NAME, config=_limits(duckdb_memory.STAGE_IN_USE, path)) as connection,
    ):
        if version_of(connection) != VERSION:
            raise StorageError(f"{path} is of another version of Trackly Sync.", "Run: trackly-sync push")
        KEEP_ALL.define(connection)
        yield connection


def version_of(connection: duckdb.DuckDBPyConnection, name: str = _NAME) -> int:
    """Of the tables of a stage; 0 where it does not say so.

    Args:
        connection: the stage's, or one that has it attached.
        name: of the stage as a catalog.
    """
    try:
        return count(connection, f"SELECT version FROM {name}.version")
    except duckdb.CatalogException:
        return 0


def is_current(
    path: Path, sources: Sequence[Source], warehouse: Path, bounds: Bounds = DEFAULT_BOUNDS
) -> bool:
    """Whether the stage is of these files as they are now, and of what the queries among them read.

    Args:
        path: the stage.
        sources: the files.
        warehouse: what `.sql` files may read besides their own folder.
        bounds: what they may take.
    """
    if not path.exists():
        return False
    try:
        with opened(path) as connection:
            files = connection.execute("SELECT file, path, size, changed FROM files ORDER BY file").fetchall()
            inputs = connection.execute("SELECT * FROM inputs ORDER BY file, path").fetchall()
        now = [tuple(_file(number, source)) for number, source in enumerate(sources)]
        return files == now and inputs == [
            tuple(row)
            for number, source in enumerate(sources)
            for row in _inputs(number, source, warehouse, bounds)
        ]
    # a stage of another version or damaged, or a query that cannot be used now: an intake rebuilds it or says why
    except (StorageError, UsageError):
        return False


def read(
    connection: duckdb.DuckDBPyConnection, query: str, rows: int = READ_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of a query in batches, memory flat. Nothing else may use the connection meanwhile.

    Args:
        connection: the stage's.
        query: SQL.
        rows: of a batch.
    """
    reader = connection.sql(query).to_arrow_reader(rows)
    try:
        yield from reader
    finally:
        reader.close()  # as long as it is open, so is the file


def count(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()) -> int:
    """The single number that a query yields.

    Args:
        connection: the stage's.
        query: SQL that yields one row of one number.
        parameters: its values.
    """
    ((number,),) = connection.execute(query, parameters).fetchall()
    return int(number)


def is_any(connection: duckdb.DuckDBPyConnection, rows: str) -> bool:
    """Whether there is a row of what a query calls `FROM rows`; the first one that is found tells.

    All of the result is fetched: beside an unfinished one a connection does no other work.
    """
    return bool(connection.execute(f"SELECT 1 FROM {rows} LIMIT 1").fetchall())


def is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the input has no rows: many pushes are of one dataset, and nothing need be asked about the others."""
    return not is_any(connection, "input")


def in_order(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the rows of `input` stand in the order of what they are known by, and none repeats another.

    Most exports do, by a number or a time, and this look is far cheaper than sorting and searching them.
    """
    return not count(
        connection,
        "SELECT count(*) FROM (SELECT seq, base, lag(seq) OVER () AS seq_before, lag(base) OVER () AS base_before"
        " FROM input WHERE base IS NOT NULL) WHERE seq <= seq_before OR base <= base_before",
    )


def _file(number: int, source: Source) -> list[int | str]:
    """A row of `files`: which it is, and how it is now."""
    return _state(number, source.path)


def _inputs(number: int, source: Source, warehouse: Path, bounds: Bounds) -> list[list[int | str]]:
    """Rows of `inputs`, in order: what the rows of a source depend on besides the file itself, as it is now."""
    if source.format != "sql":
        return []
    found = inputs_of(source.path, warehouse, follow_links=bounds.follow_links)
    return [_state(number, path) for path in sorted(found, key=str)]


def _state(number: int, path: Path) -> list[int | str]:
    status = path.stat()
    return [number, str(path), status.st_size, status.st_mtime_ns]


def _refuse_replaced(source: Source) -> None:
    """Raise where a file is another one than was found: a link that leads elsewhere, a pipe, or nothing."""
    real = source.real or source.path.resolve()
    if source.path.resolve() != real or not real.is_file():
        raise UsageError(f"{source.path} was replaced since it was found.", "Look at it, and push again.")


@contextmanager
def _still(
    connection: duckdb.DuckDBPyConnection, number: int, source: Source, warehouse: Path, bounds: Bounds
) -> Iterator[None]:
    """Record how a source is before the block, and raise where it is otherwise afterwards: half of it was read."""
    _refuse_replaced(source)
    before = [_file(number, source), *_inputs(number, source, warehouse, bounds)]
    connection.execute("INSERT INTO files (file, path, size, changed) VALUES (?, ?, ?, ?)", before[0])
    if before[1:]:
        connection.executemany("INSERT INTO inputs VALUES (?, ?, ?, ?)", before[1:])
    yield
    _refuse_replaced(source)
    # an analyst's warehouse is swapped whole, so that the query has read one or the other
    after = [_file(number, source), *_inputs(number, source, warehouse, bounds)]
    changed = [row[1] for row in before if row not in after and row[1] != str(warehouse)]
    if changed:
        raise UsageError(f"{changed[0]} was changed while it was read.", "Push again when it is complete.")


def _limits(share: str, path: Path) -> duckdb_memory.Config:
    return duckdb_memory.limits(share, path.with_suffix(".spill"), threads=2)


def _create(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    columns = ", ".join(
        f"{field.name} {TYPES[field.kind]}{_compression(dataset, field)}" for field in dataset.fields
    )
    known_by = identity_base(dataset.name, dataset.fields)
    base = f"AS ({known_by}) VIRTUAL" if known_by in dataset.columns else _PLAIN
    connection.execute(f"CREATE TABLE version AS SELECT {VERSION} AS version")
    connection.execute(
        "CREATE TABLE files (file INTEGER, path VARCHAR, size BIGINT, changed BIGINT, format VARCHAR,"
        " compression VARCHAR, encoding VARCHAR, dialect VARCHAR, zone_assumed BIGINT, ignored VARCHAR[],"
        " notes VARCHAR[])"
    )
    connection.execute(
        "CREATE TABLE input (seq BIGINT, file INTEGER, row BIGINT, line BIGINT, last_line BIGINT,"
        " problem VARCHAR, raw VARCHAR, marks USMALLINT, content BIGINT, "
        f"base VARCHAR {base}, {columns})"
    )
    connection.execute("CREATE TABLE inputs (file INTEGER, path VARCHAR, size BIGINT, changed BIGINT)")
    connection.execute(
        "CREATE TABLE verdicts (seq BIGINT, outcome VARCHAR, reason VARCHAR, code VARCHAR, places VARCHAR,"
        " fleeting BOOLEAN DEFAULT false)"
    )
    connection.execute(
        "CREATE TABLE repeats (seq BIGINT, file INTEGER, base VARCHAR, content BIGINT, compared BIGINT,"
        " ordinal BIGINT)"
    )
    for table, found in FINDINGS.items():
        columns_of = ", ".join(f"{column} {kind}" for column, kind in found.items())
        connection.execute(f"CREATE TABLE {table} ({columns_of})")
    connection.execute("CREATE TABLE risky (seq BIGINT)")
    connection.execute("CREATE TABLE synced (seq BIGINT)")
    connection.execute("CREATE TABLE ordinals (seq BIGINT, ordinal BIGINT, own BIGINT)")
    connection.execute(
        "CREATE VIEW ready AS SELECT input.*, "
        "CASE WHEN ordinal IS NULL THEN base ELSE base || ':' || ordinal END AS identity "
        # to plan a correlated NOT EXISTS takes twice as long, for each of thirty statements that read this
        "FROM input LEFT JOIN ordinals USING (seq) ANTI JOIN verdicts ON verdicts.seq = input.seq"
    )


def _compression(dataset: Dataset, field: Field) -> str:
    if field.name == "message":
        return _LONG
    return _PLAIN if field.name in dataset.key or PHONE in field.column.checks else ""


def discard(draft: Path) -> None:
    """Delete a file that was being built, if it is there."""
    for leftover in (draft, draft.with_name(f"{draft.name}.wal")):
        leftover.unlink(missing_ok=True)
