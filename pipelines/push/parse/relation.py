"""One history file as a relation of texts, whatever its format: what the stage loads.

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
    """Rows of a file that stand one after the other.

    Attributes:
        query: SQL that yields `row` (from 1), `line` and `last_line` (in a text file, else NULL), and the dataset's
            columns: as VARCHAR with `problem` (why the row cannot be read, else NULL) and `broken` (the line, where
            it is no record); or typed with `marks`.
        proven: whether they are typed, since nothing is wrong with any (see `fast_typing`).
        presence: what is known of their fields; of texts, which columns have none.
        plain: the columns of texts that need no careful way.
        typed_amounts: the amounts that are numbers in the file, so that how their texts are written says nothing.
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
        stretches: its rows, each stretch to be run before the next one is asked for.
        facts: what was found in the file; complete once all stretches were run.
        failed: the error that ended a query early, to be raised in its place.
    """

    stretches: Generator[Stretch]
    facts: Facts
    failed: list[BaseException] = field(default_factory=list)


@contextmanager
def opened_relation(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, source: Source
) -> Iterator[Relation]:
    """A query over one file, to be run inside the block.

    Args:
        connection: where the query is to run.
        dataset: what the rows are of.
        source: the file; of a `.sql` file, with what its query yielded.

    Raises:
        UsageError: a column is missing, or the file is not what its name says.
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
        schema: it.
        batches: them.
        failed: gets the error that ends them.
        query: SQL that makes texts of them, as `Stretch` describes.
        typed_amounts: as `Stretch` has it.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    failed: list[BaseException]
    query: str = f"FROM {_INCOMING}"
    typed_amounts: frozenset[str] = frozenset()


class _Known(NamedTuple):
    """What is known of a batch; see `Stretch`."""

    proven: bool
    presence: Presence
    plain: frozenset[str] = frozenset()

    def after(self, before: "_Known | None") -> "_Known":
        """Less and less, so that batches that differ in turns do not each make a part."""
        if before is None:
            return self
        return _Known(self.proven, before.presence & self.presence, before.plain & self.plain)


def _judged(dataset: Dataset, stream: Stream) -> Iterator[tuple[_Known, pa.RecordBatch]]:
    """Each batch, typed where it is proven, and what is known of all that were by then; the same of all others.

    An error is kept, since Arrow and DuckDB would pass on its text only. Ctrl-C is one of them: they would make an
    error of it.
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
    """Batches that follow each other and are proven, or are not."""
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
    """Of which columns there is no text."""
    return frozenset((name, False) for name in dataset.columns if name not in there)


def _with_values(batch: pa.RecordBatch) -> set[str]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name for name, column in columns if column.null_count < len(batch)}


def _presence(batch: pa.RecordBatch) -> Presence:
    """Of which columns all values are there, and of which none."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return frozenset(
        (name, not column.null_count) for name, column in columns if column.null_count in (0, len(batch))
    )


def _named(path: Path) -> str:
    """A file's name in SQL, as itself: DuckDB would take some characters for a pattern, and read other files."""
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
    """The rows of a Parquet file, or those that lie in another one; errors name the first."""
    path, rows = source.path, source.rows or source.path
    file = _named(rows)
    if not rows.stat().st_size:
        facts.notes.append(EMPTY)
        yield _no_rows(dataset)
        return
    try:
        refuse_parquet(path, rows)
        given = pq.read_schema(rows).names
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UsageError(f"{path} is not a Parquet file.", "Export it again.") from None
    # folders such as list_id=101 are only folders; rows that are numbered by the file can be read by several threads
    relation = f"read_parquet({file}, file_row_number = true, hive_partitioning = false)"
    described = _described(connection, path, relation)
    columns = match(dataset, given, path)
    _refuse_long(connection, path, relation, {name: described[at] for name, at in columns.places.items()})
    facts.note_columns(columns)
    # DuckDB gives other names to columns whose names differ in case only; their places stay
    found = {name: described[place] for name, place in columns.places.items()}
    own = typed_amounts(dataset, found)
    values = select_values(dataset, found, relation, row="file_row_number + 1")
    if values is None:
        query = select_texts(dataset, found, relation, row="file_row_number + 1")
        stretch = Stretch(query, presence=_absent(dataset, found), typed_amounts=own)
        with _without_statistics(connection) if has_floats(found) else nullcontext():
            yield stretch
        return
    query, types = values
    with connection.cursor() as cursor:  # one reads while the other one writes
        cursor.execute("SET TimeZone = 'UTC'")
        reader = cursor.sql(query).to_arrow_reader(BATCH_ROWS)
        as_texts = select_texts(dataset, types, _INCOMING, row="row")
        yield from _stretches(connection, dataset, Stream(reader.schema, iter(reader), failed, as_texts, own))


@contextmanager
def _without_statistics(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What runs inside is computed from the values alone."""
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


def _refuse_long(
    connection: duckdb.DuckDBPyConnection, path: Path, relation: str, fields: dict[str, tuple[str, str]]
) -> None:
    """Raise where a field has a value that is too long: one that the file keeps once may stand in every row."""
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
    """Name and type of a relation's columns."""
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.InvalidInputException as error:  # it has no column, or what only Arrow knows
        raise UsageError(f"{path} is not a Parquet file that DuckDB can read.", "Export it again.") from error
    return [(str(row[0]), str(row[1])) for row in described]
