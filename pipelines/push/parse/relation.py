"""Reads a history file of any format as a relation of texts, for the stage to load.

Column names are checked here. What does not belong here: which files there are (`files.find`), and what the texts
mean (`values.formats`).
"""

import re
from collections.abc import Callable, Container, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import UsageError
from pipelines.push.files.bounds import LONGEST_VALUE, refuse_parquet
from pipelines.push.files.find import Source
from pipelines.push.parse.delimited.reader import read_delimited
from pipelines.push.parse.facts import EMPTY, Facts
from pipelines.push.parse.json_lines import read_json
from pipelines.push.parse.records import BATCH_ROWS, Columnar, Records, numbered, schema
from pipelines.push.parse.typed_columns import (
    has_floats,
    kind_of,
    select_texts,
    select_values,
    typed_amounts,
)
from pipelines.push.values.api_records import Presence
from pipelines.push.values.columns import match
from pipelines.push.values.fast_typing import plain, prove
from pipelines.push.values.fast_typing import schema as typed_schema
from pipelines.storage import storage_errors
from schemas.columns import Dataset
from schemas.derived.tables import literal, quoted

_INCOMING = "incoming"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive rows of a file that are read by one query.

    Attributes:
        query: SQL that yields `row` (from 1), `line` and `last_line` (NULL unless a text file), and the fields.
            Fields are VARCHAR, with `problem` (why the row cannot be read, else NULL) and `broken` (the line, if it
            is not a record); or they are typed, with `marks`.
        proven: whether the fields are typed, because every value is valid (see `fast_typing`).
        presence: which fields are known to have a value in all rows or in none; for texts, only those with none.
        plain: the text columns whose values need no careful reading.
        typed_amounts: amounts that are numbers in the file, so their texts say nothing about decimal signs.
    """

    query: str
    proven: bool = False
    presence: Presence = frozenset()
    plain: frozenset[str] = frozenset()
    typed_amounts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Relation:
    """A file that is being read.

    Attributes:
        stretches: its rows; run each stretch before asking for the next.
        facts: what was found in the file; complete once all stretches have run.
        failed: the error that ended a stretch; it is raised instead of DuckDB's.
    """

    stretches: Generator[Stretch]
    facts: Facts
    failed: list[BaseException] = field(default_factory=list)


@contextmanager
def opened_relation(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, source: Source
) -> Iterator[Relation]:
    """Yield a file as a relation, to be read inside the block.

    Args:
        connection: the connection that runs the queries.
        dataset: the dataset of the rows.
        source: the file; for a `.sql` file, with the Parquet file of its rows.

    Raises:
        UsageError: a column is missing, or the format is not the one that the file's name says.
        StorageError: the file cannot be read.
    """
    with storage_errors("read", source.path):
        facts = Facts()
        failed: list[BaseException] = []
        if source.format in _TEXTS:
            batches = numbered(_TEXTS[source.format](dataset, source, facts))
            stretches = _stretches(connection, dataset, Stream(schema(dataset), batches, failed))
        else:
            stretches = _parquet(connection, dataset, source, facts, failed)
        relation = Relation(stretches, facts, failed)
        try:
            with closing(relation.stretches):
                yield relation
        except duckdb.Error:
            if not failed:
                raise
        if failed:
            raise failed[0]


_TEXTS: dict[str, Callable[[Dataset, Source, Facts], Iterator[Records | Columnar]]] = {
    "csv": read_delimited,
    "ndjson": read_json,
}


@dataclass(frozen=True, slots=True)
class Stream:
    """Batches of one schema.

    Attributes:
        schema: the schema.
        batches: the batches.
        failed: receives the error that ends the batches.
        query: SQL that turns the batches into texts, as `Stretch` describes.
        typed_amounts: see `Stretch`.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    failed: list[BaseException]
    query: str = f"FROM {_INCOMING}"
    typed_amounts: frozenset[str] = frozenset()


class _Known(NamedTuple):
    """Facts about a batch; the fields are those of `Stretch`."""

    proven: bool
    presence: Presence
    plain: frozenset[str] = frozenset()

    def after(self, before: "_Known | None") -> "_Known":
        """Keep only facts that held before too, so that batches that alternate do not each start a stretch."""
        if before is None:
            return self
        return _Known(self.proven, before.presence & self.presence, before.plain & self.plain)


def _judged(dataset: Dataset, stream: Stream) -> Iterator[tuple[_Known, pa.RecordBatch]]:
    """Yield each batch, typed if proven, with the facts that hold for all proven (or unproven) batches so far.

    Errors are kept in `failed`, because Arrow and DuckDB would pass on their text only. So is KeyboardInterrupt,
    which they would turn into an ordinary error.
    """
    try:
        known: dict[bool, _Known] = {}
        for batch in stream.batches:
            typed = prove(dataset, batch)
            here = (
                _Known(False, _absent(dataset, _with_values(batch)), plain(dataset, batch))
                if typed is None
                else _Known(True, _presence(typed))
            )
            known[here.proven] = here.after(known.get(here.proven))
            yield known[here.proven], batch if typed is None else typed
    except (Exception, KeyboardInterrupt) as error:  # raised again by `opened_relation`
        stream.failed.append(error)
        raise


def _stretches(connection: duckdb.DuckDBPyConnection, dataset: Dataset, stream: Stream) -> Generator[Stretch]:
    """Yield a stretch for consecutive batches with the same facts."""
    for known, group in groupby(_judged(dataset, stream), lambda pair: pair[0]):
        rows = (batch for _, batch in group)
        columns = typed_schema(dataset) if known.proven else stream.schema
        query, amounts = (
            (f"FROM {_INCOMING}", frozenset()) if known.proven else (stream.query, stream.typed_amounts)
        )
        connection.register(_INCOMING, pa.RecordBatchReader.from_batches(columns, rows))
        try:
            yield Stretch(query, known.proven, known.presence, known.plain, amounts)
        finally:
            connection.unregister(_INCOMING)


def _absent(dataset: Dataset, there: Container[str]) -> Presence:
    """Return the columns without any text, as presence."""
    return frozenset((name, False) for name in dataset.columns if name not in there)


def _with_values(batch: pa.RecordBatch) -> set[str]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name for name, column in columns if column.null_count < len(batch)}


def _presence(batch: pa.RecordBatch) -> Presence:
    """Return the columns with a value in every row, and those with a value in none."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return frozenset(
        (name, not column.null_count) for name, column in columns if column.null_count in (0, len(batch))
    )


def _named(path: Path) -> str:
    """Return a path as an SQL literal with pattern characters escaped, so that DuckDB reads only this file."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _no_rows(dataset: Dataset) -> Stretch:
    places, texts = ("row", "line", "last_line"), (*dataset.columns, "problem", "broken")
    columns = [f"NULL::BIGINT AS {name}" for name in places] + [f"NULL::VARCHAR AS {name}" for name in texts]
    return Stretch(f"SELECT {', '.join(columns)} LIMIT 0")


def _parquet(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    source: Source,
    facts: Facts,
    failed: list[BaseException],
) -> Generator[Stretch]:
    """Yield the rows of a Parquet file, or of the Parquet file that a query made; errors name the history file."""
    path, rows = source.path, source.rows or source.path
    file = _named(rows)
    if not rows.stat().st_size:
        facts.notes.append(EMPTY)
        yield _no_rows(dataset)
        return
    try:
        refuse_parquet(path, rows)
        given = pq.read_schema(rows)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UsageError(f"{path} is not a Parquet file.", "Export it again.") from None
    # folders such as list_id=101 make no columns; with file_row_number several threads can read the rows
    relation = f"read_parquet({file}, file_row_number = true, hive_partitioning = false)"
    described = _described(connection, path, relation)
    columns = match(dataset, given.names, path)
    _refuse_long(connection, path, relation, {name: described[at] for name, at in columns.places.items()})
    facts.note_columns(columns)
    # DuckDB renames columns whose names differ only in case; their order stays the same
    found = {
        name: (described[place][0], kind_of(given.field(place).type, described[place][1]))
        for name, place in columns.places.items()
    }
    own = typed_amounts(dataset, found)
    values = select_values(dataset, found, relation, row="file_row_number + 1")
    if values is None:
        query = select_texts(dataset, found, relation, row="file_row_number + 1")
        stretch = Stretch(query, presence=_absent(dataset, found), typed_amounts=own)
        with _without_statistics(connection) if has_floats(found) else nullcontext():
            yield stretch
        return
    query, types = values
    with connection.cursor() as cursor:  # this cursor reads while the connection writes
        cursor.execute("SET TimeZone = 'UTC'")
        reader = cursor.sql(query).to_arrow_reader(BATCH_ROWS)
        as_texts = select_texts(dataset, types, _INCOMING, row="row")
        yield from _stretches(connection, dataset, Stream(reader.schema, iter(reader), failed, as_texts, own))


@contextmanager
def _without_statistics(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block without statistics: results are computed from the values alone."""
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


def _refuse_long(
    connection: duckdb.DuckDBPyConnection, path: Path, relation: str, fields: dict[str, tuple[str, str]]
) -> None:
    """Raise if a field has a value that is too long: Parquet can store it once and repeat it in every row."""
    lengths = {"VARCHAR": "strlen", "JSON": "strlen", "BLOB": "octet_length"}
    texts = {name: column for name, column in fields.items() if column[1] in lengths}
    longest = ", ".join(f"max({lengths[kind]}({quoted(column)}))" for column, kind in texts.values())
    if not longest:
        return
    (found,) = connection.execute(f"SELECT {longest} FROM {relation}").fetchall()
    for name, length in zip(texts, found, strict=True):
        if length is not None and length > LONGEST_VALUE:
            raise UsageError(
                f"{path} has a value of {length:,} bytes in `{name}`; more than {LONGEST_VALUE:,} is no history.",
                "Leave that row out: a .sql file can do it.",
            )


def _described(connection: duckdb.DuckDBPyConnection, path: Path, relation: str) -> list[tuple[str, str]]:
    """Return name and type of each column of a relation."""
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.InvalidInputException as error:  # it has no column, or a type that only Arrow knows
        raise UsageError(f"{path} is not a Parquet file that DuckDB can read.", "Export it again.") from error
    return [(str(row[0]), str(row[1])) for row in described]
