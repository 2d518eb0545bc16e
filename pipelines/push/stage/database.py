"""The stage: the current history input of one dataset, typed, in a DuckDB file of its own.

Every intake rebuilds it from the files; it holds nothing that must be kept. Tables:

    version   version of these tables
    files     the input files in order: their state when they were read (path, size, changed), and what was found in
              them: format, compression, encoding, dialect, the number of times without a zone, the columns that are
              no fields, and notes for the plan
    inputs    the files that a `.sql` file among them reads, with their state when the query ran
    input     one row per row of the input, in order: its place (row; in a text file also line and last_line), its
              values, or what is wrong with it, marks (see `values.formats`), and the digest of its values
              (`content`, see `values.content_digest`)
    verdicts  why a row of the input is not sent: quarantined, duplicate or parked; at most one verdict per row.
              `fleeting` verdicts depend on the ledger and are made again when the stage is compared with it
    repeats   rows whose key occurs several times, and their content (`checks.conflicts`)
    corrected rows whose content differs from what was sent, whatever their outcome: `content` is of the file's row,
              `sent` of the row that was sent; null if an older program kept none (`checks.differing_rows`)
    differing the corrected rows that are in the account
    ordinals  for repeated revenue without a record_id: the number of its occurrence, from 2 on; `own` counts within
              the input only and is null for the first (`checks.revenue.overlaps`)
    synced    revenue that its network syncs to Trackly by itself, if such revenue is held back
    risky     revenue that the API may refuse; it goes in small chunks, so that every error is named
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
"""Rows per batch when a stage is read: pandera's cost is per call."""

VERSION = 13
"""Version of the tables above; the next intake rebuilds a stage of another version."""

FINDINGS = {
    "corrected": {"seq": "BIGINT", "identity": "VARCHAR", "content": "BIGINT", "sent": "BIGINT"},
    "differing": {"seq": "BIGINT", "identity": "VARCHAR", "content": "BIGINT", "acknowledged": "BOOLEAN"},
}
"""The columns of two of these tables; older stages have other columns."""

_NAME = "this"
"""Name of the stage as a catalog, next to others that are attached to its connection."""

_PLAIN = " USING COMPRESSION uncompressed"
"""For texts that differ in every row: compressing them takes longer than everything else in loading a row."""

_LONG = " USING COMPRESSION zstd"
"""For long texts: searching for the best compression costs more than it can save."""

Progress = Callable[[str, int, int], None]
"""Called with a dataset's name, the number of rows done, and the number of all rows (0: not known yet)."""


def stage_path(settings: Settings, dataset: str) -> Path:
    """Return the path of the stage of a dataset."""
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
    """Build a new stage with the rows of all sources in `input`; it replaces the old one if the block ends well.

    Args:
        path: the stage; the draft is in the same folder.
        dataset: the dataset of the rows.
        sources: the files, in order.
        warehouse: the warehouse, which `.sql` files may read besides their own folder.
        bounds: limits of the queries of `.sql` files.
        privacy: how digests of the rows are made; the connection has its macros.

    Raises:
        UsageError: a source cannot be used as it is; all such sources are named.
        StorageError: the disk refused; the old stage is unchanged.
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
            # DuckDB would apply the log of a killed push to the new file
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
            os.replace(draft, path)  # noqa: PTH105 - the atomic step, under its usual name
        finally:
            discard(draft)


@contextmanager
def stage_errors(path: Path) -> Iterator[None]:
    """Run a block that opens a stage together with other files; if the stage is damaged, the error says so.

    Raises:
        StorageError: the stage cannot be read.
    """
    try:
        with storage_errors("read", path):
            yield
    except StorageError as error:
        if path.name in error.message:
            remedy = "Move it away and run the command again: the next push builds it from the history files."
            raise StorageError(error.message, remedy) from error
        raise  # about another file, with a remedy of its own


@contextmanager
def opened(path: Path, privacy: Privacy = KEEP_ALL) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the stage that an earlier intake built.

    Args:
        path: where it lies.
        privacy: how digests of the rows are made; the connection has its macros.

    Raises:
        StorageError: there is no stage, or it cannot be used.
    """
    if not path.exists():
        raise StorageError(f"No history was taken in yet: {path} does not exist.", "Run: trackly-sync push")
    with (
        storage_errors("open", path),
        attached(path, _NAME, config=_limits(duckdb_memory.STAGE_IN_USE, path)) as connection,
    ):
        if version_of(connection) != VERSION:
            raise StorageError(f"{path} is of another version of Trackly Sync.", "Run: trackly-sync push")
        privacy.define(connection)
        yield connection


def version_of(connection: duckdb.DuckDBPyConnection, name: str = _NAME) -> int:
    """Return the version of the tables of a stage; 0 if the stage has none.

    Args:
        connection: the connection of the stage, or one that has it attached.
        name: the name of the stage as a catalog.
    """
    try:
        return count(connection, f"SELECT version FROM {name}.version")
    except duckdb.CatalogException:
        return 0


def is_current(
    path: Path, sources: Sequence[Source], warehouse: Path, bounds: Bounds = DEFAULT_BOUNDS
) -> bool:
    """Return whether the stage was built from these files in their present state, and their queries' inputs too.

    Args:
        path: the stage.
        sources: the files.
        warehouse: the warehouse, which `.sql` files may read besides their own folder.
        bounds: limits of the queries of `.sql` files.
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
    # the stage is damaged or of another version, or a query cannot be used: the intake rebuilds it or says why
    except (StorageError, UsageError):
        return False


def read(
    connection: duckdb.DuckDBPyConnection, query: str, rows: int = READ_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query in batches, with constant memory. Nothing else may use the connection meanwhile.

    Args:
        connection: the connection of the stage.
        query: SQL.
        rows: rows of a batch.
    """
    reader = connection.sql(query).to_arrow_reader(rows)
    try:
        yield from reader
    finally:
        reader.close()  # an open reader keeps the file open


def count(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()) -> int:
    """Return the single number that a query yields.

    Args:
        connection: the connection of the stage.
        query: SQL that yields one row with one number.
        parameters: the values of its parameters.
    """
    ((number,),) = connection.execute(query, parameters).fetchall()
    return int(number)


def is_any(connection: duckdb.DuckDBPyConnection, rows: str) -> bool:
    """Return whether `SELECT … FROM rows` yields a row; the search ends at the first.

    The whole result is fetched: a connection does no other work until a result is read to its end.
    """
    return bool(connection.execute(f"SELECT 1 FROM {rows} LIMIT 1").fetchall())


def is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the input has no rows, so that a push of other datasets can skip it."""
    return not is_any(connection, "input")


def in_order(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the rows of `input` are sorted by identity, and no identity is repeated.

    Most exports are sorted by a number or a time, and this check is far cheaper than sorting and searching the rows.
    """
    return not count(
        connection,
        "SELECT count(*) FROM (SELECT seq, base, lag(seq) OVER () AS seq_before, lag(base) OVER () AS base_before"
        " FROM input WHERE base IS NOT NULL) WHERE seq <= seq_before OR base <= base_before",
    )


def _file(number: int, source: Source) -> list[int | str]:
    """Return a row of `files`: the number of a file, and its present state."""
    return _state(number, source.path)


def _inputs(number: int, source: Source, warehouse: Path, bounds: Bounds) -> list[list[int | str]]:
    """Return rows of `inputs`, sorted: the present state of the files that a source's query reads."""
    if source.format != "sql":
        return []
    found = inputs_of(source.path, warehouse, follow_links=bounds.follow_links)
    return [_state(number, path) for path in sorted(found, key=str)]


def _state(number: int, path: Path) -> list[int | str]:
    status = path.stat()
    return [number, str(path), status.st_size, status.st_mtime_ns]


def _refuse_replaced(source: Source) -> None:
    """Raise if a file is not the one that was found: its link leads elsewhere, or it is a pipe or missing."""
    real = source.real or source.path.resolve()
    if source.path.resolve() != real or not real.is_file():
        raise UsageError(f"{source.path} was replaced since it was found.", "Look at it, and push again.")


@contextmanager
def _still(
    connection: duckdb.DuckDBPyConnection, number: int, source: Source, warehouse: Path, bounds: Bounds
) -> Iterator[None]:
    """Record the state of a source before the block, and raise if the source has changed after it."""
    _refuse_replaced(source)
    before = [_file(number, source), *_inputs(number, source, warehouse, bounds)]
    connection.execute("INSERT INTO files (file, path, size, changed) VALUES (?, ?, ?, ?)", before[0])
    if before[1:]:
        connection.executemany("INSERT INTO inputs VALUES (?, ?, ?, ?)", before[1:])
    yield
    _refuse_replaced(source)
    # the warehouse may change: it is replaced by one rename, so the query has read either the old or the new one
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
        # a correlated NOT EXISTS takes twice as long to plan, in each of thirty statements that read this view
        "FROM input LEFT JOIN ordinals USING (seq) ANTI JOIN verdicts ON verdicts.seq = input.seq"
    )


def _compression(dataset: Dataset, field: Field) -> str:
    if field.name == "message":
        return _LONG
    return _PLAIN if field.name in dataset.key or PHONE in field.column.checks else ""


def discard(draft: Path) -> None:
    """Delete a file that was being built, if it exists."""
    for leftover in (draft, draft.with_name(f"{draft.name}.wal")):
        leftover.unlink(missing_ok=True)
