"""Loads a file into the table `input` of a stage: its texts are typed, and each row has its problem, if any.

What does not belong here: the tables and when they are built (`database`), reading files (`parse.relation`), and what
a text means (`values`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.facts import Facts
from pipelines.push.parse.relation import Stretch, opened_relation
from pipelines.push.stage.decimal_sign_of_file import hold_thousands
from pipelines.push.values.content_digest import content
from pipelines.push.values.formats import (
    GUARD_REMOVED,
    NULL_WORD,
    TIME_CUT,
    ZONE_ASSUMED,
    bare,
    marks,
    plainly_typed,
    problem,
    typed,
)
from pipelines.push.values.identity import identity_base
from pipelines.text.humanize import plural
from schemas.columns import Dataset, Field, Kind
from schemas.derived.tables import TYPES, literal

_REMEDIES = {
    "parquet": "Export the file again.",
    "sql": "Run it in DuckDB to see at which value it fails; TRY_CAST turns values that do not fit into NULL.",
}
"""The remedy for a file that cannot be read to its end, by format."""


def load(connection: duckdb.DuckDBPyConnection, dataset: Dataset, number: int, source: Source) -> None:
    """Append the rows of a file to `input`: typed, or with the problem and the texts as they were.

    Args:
        connection: the connection of the stage.
        dataset: the dataset of the rows.
        number: the number of the file among the sources, from 0.
        source: the file.
    """
    ((before,),) = connection.execute("SELECT count(*) FROM input").fetchall()
    try:
        with opened_relation(connection, dataset, source) as relation, _within_memory(source):
            for stretch in relation.stretches:
                insertion = _typed_insertion if stretch.proven else _insertion
                connection.execute(insertion(dataset, stretch), [before, number])
    except duckdb.Error as error:
        # DuckDB's message may quote the file, and with it personal data
        raise UsageError(
            f"{source.path} cannot be read as {source.format} ({type(error).__name__}).",
            _REMEDIES.get(source.format, "Export the file again."),
        ) from None
    hold_thousands(connection, dataset, number)
    _note(connection, number, source, relation.facts)


@contextmanager
def _within_memory(source: Source) -> Iterator[None]:
    """Raise UsageError for a Parquet file that takes too much memory, unless the disk is full of spilled data."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        if source.format != "parquet" or "temp_directory" in str(error):
            raise
        raise UsageError(
            f"{source.path} takes more memory than a history file may.",
            "Export it again, with smaller row groups and pages.",
        ) from None


def _note(connection: duckdb.DuckDBPyConnection, number: int, source: Source, facts: Facts) -> None:
    """Write what was found in a file into its row of `files`."""
    marked = ", ".join(
        f"count(*) FILTER (marks & {bit} <> 0)" for bit in (ZONE_ASSUMED, GUARD_REMOVED, NULL_WORD, TIME_CUT)
    )
    ((assumed, guards, nulls, cut),) = connection.execute(
        f"SELECT {marked} FROM input WHERE file = ? AND problem IS NULL", [number]
    ).fetchall()
    notes = list(facts.notes)
    if guards:
        notes.append(f'a spreadsheet\'s guard (an apostrophe or ="…") is removed in {plural(guards, "row")}')
    if cut:
        notes.append(f"times are cut to microseconds in {plural(cut, 'row')}")
    if nulls:
        notes.append(f"texts such as NULL count as no value in {plural(nulls, 'row')}")
    connection.execute(
        "UPDATE files SET format = ?, compression = ?, encoding = ?, dialect = ?, zone_assumed = ?, ignored = ?,"
        " notes = ? WHERE file = ?",
        [
            source.format,
            source.compression,
            facts.encoding,
            facts.dialect,
            assumed,
            facts.ignored,
            notes,
            number,
        ],
    )


def _insertion(dataset: Dataset, stretch: Stretch) -> str:
    """Return the statement that loads the texts of a query: as read, bare, typed, then checked for problems.

    Planning it takes longer than loading a small file, so checks that a column does not need are left out. Its
    parameters are the number of rows in the stage, and the file's number.
    """
    names = ", ".join(dataset.columns)
    there = [field for field in dataset.fields if (field.name, False) not in stretch.presence]
    cleaned = "".join(f", {_bare(field, stretch)} AS b_{field.name}" for field in there)
    values = ", ".join(f"{_value(field, stretch)} AS v_{field.name}" for field in dataset.fields)
    bits = _marks(there, stretch)
    renamed = ", ".join(f"v_{name} AS {name}" for name in dataset.columns)
    raw = (
        f"coalesce(to_json(broken), to_json({{{', '.join(f'{literal(n)}: {n}' for n in dataset.columns)}}}))"
    )
    known_by = identity_base(dataset.name, dataset.fields)
    base = "" if known_by in dataset.columns else f"{known_by} AS base, "
    return (
        "INSERT INTO input BY NAME SELECT seq, file, row, line, last_line, problem, raw, marks,"
        f" {content(dataset, stretch.presence)} AS content, {base}{names} FROM ("
        f"SELECT $1 + row AS seq, $2::INTEGER AS file, row, line, last_line, nullif(found, '') AS problem, "
        f"raw, marks, {renamed} FROM ("
        f"SELECT *, coalesce(problem, concat_ws('; ', {_problems(there, stretch)})) AS found,"
        f" CASE WHEN found <> '' THEN {raw} END AS raw FROM ("
        f"SELECT *, {values}, CAST({bits} AS USMALLINT) AS marks FROM (SELECT *{cleaned} FROM ({stretch.query})))))"
    )


def _bare(field: Field, stretch: Stretch) -> str:
    return f"nullif({field.name}, '')" if field.name in stretch.plain else bare(field, field.name)


def _value(field: Field, stretch: Stretch) -> str:
    if (field.name, False) in stretch.presence:
        return f"NULL::{TYPES[field.kind]}"
    return (plainly_typed if field.name in stretch.plain else typed)(field, f"b_{field.name}")


def _problems(there: Sequence[Field], stretch: Stretch) -> str:
    doubtful = (field for field in there if field.name not in stretch.plain)
    found = (problem(field, f"b_{field.name}", f"v_{field.name}") for field in doubtful)
    return ", ".join(filter(None, found)) or "NULL"


def _marks(there: Sequence[Field], stretch: Stretch) -> str:
    """Return SQL for the bits of a row; the bits of amounts only if these are written as texts.

    Args:
        there: the fields that have values.
        stretch: the rows. A plain text has no bits.
    """
    written = (
        field
        for field in there
        if field.name not in stretch.typed_amounts
        and not (field.kind is Kind.TEXT and field.name in stretch.plain)
    )
    return " | ".join(filter(None, (marks(field, field.name, f"b_{field.name}") for field in written))) or "0"


def _typed_insertion(dataset: Dataset, stretch: Stretch) -> str:
    """Return the statement that loads rows that are proven (see `fast_typing`)."""
    known_by = identity_base(dataset.name, dataset.fields)
    base = "" if known_by in dataset.columns else f", {known_by} AS base"
    return (
        f"INSERT INTO input BY NAME SELECT $1 + row AS seq, $2::INTEGER AS file, row, line, last_line, marks,"
        f" {', '.join(dataset.columns)}, {content(dataset, stretch.presence)} AS content{base} FROM ({stretch.query})"
    )
