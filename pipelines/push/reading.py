"""One history file as a relation of texts: the dataset's columns as VARCHAR, plus `row`, `problem` and `line`.

Column names are checked here, before any row is read. What does not belong here: which files there are
(`sources`), and what the texts mean (`casts`).
"""

import codecs
import csv
import difflib
import io
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from pipelines.errors import UsageError
from pipelines.push.sources import Source
from pipelines.storage import storage_errors
from schemas.columns import Dataset
from schemas.tables import literal

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_LINES = "max_line_size=6000000, buffer_size=12000000"
"""A record beyond 5 MB cannot be sent anyway, and DuckDB would set aside 16 times the longest line."""
_ALIASES = {
    "phone": ("to_number", "phone_number"),
    "to": ("to_number",),
    "recipient": ("to_number",),
    "text": ("message",),
    "body": ("message",),
    "sent_at": ("timestamp",),
    "clicked_at": ("timestamp",),
    "date": ("timestamp",),
    "amount": ("revenue",),
    "from": ("list_number",),
    "from_number": ("list_number",),
    "sender": ("list_number",),
    "send_id": ("message_id", "id"),
    "type": ("send_type", "attribution_type"),
}
"""What other platforms call the API's fields."""


def texts(connection: duckdb.DuckDBPyConnection, dataset: Dataset, source: Source) -> str:
    """A SELECT over one file.

    Args:
        connection: where the SELECT is to run.
        dataset: what the rows are of.
        source: the file; of a `.sql` file, with what its query yielded.

    Returns:
        SQL that yields `row` (from 1, headers not counted), the dataset's columns as VARCHAR, `problem`
        (why the row as a whole cannot be read, else NULL) and `line` (then: its text). Malformed lines of a
        CSV are not among its rows but in the temporary table `rejected` (see `malformed`).

    Raises:
        UsageError: a column is missing or unknown, or the file is not what its name says.
        StorageError: the file cannot be read.
    """
    with storage_errors("read", source.path):
        if source.rows is not None:
            return _parquet(connection, dataset, source.path, source.rows)
        return _READERS[source.format](connection, dataset, source.path)


def malformed(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str]]:
    """Line number and text of the CSV lines that had too few or too many columns; forgets them."""
    exists = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'rejected'").fetchall()
    if not exists:
        return []
    rows = connection.execute(
        "SELECT line, any_value(trim(csv_line, chr(10) || chr(13))) FROM rejected GROUP BY line ORDER BY line"
    ).fetchall()
    connection.execute("DROP TABLE rejected")
    connection.execute("DROP TABLE rejected_scans")
    return rows


def _named(path: Path) -> str:
    """A file's name in SQL, as itself: DuckDB would take some characters for a pattern, and read other files."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _csv(connection: duckdb.DuckDBPyConnection, dataset: Dataset, path: Path) -> str:  # noqa: ARG001 - one signature for all
    encoding = _encoding(path)
    header, delimiter = _header(path, encoding, dataset)
    _check_columns(dataset, header, path)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    relation = (
        f"read_csv({_named(path)}, auto_detect=false, header=true, delim={literal(delimiter)}, "
        f"quote='\"', escape='\"', columns={{{columns}}}, encoding='{encoding}', {_LINES}, "
        "store_rejects=true, rejects_table='rejected', rejects_scan='rejected_scans')"
    )
    return _select(dataset, header, relation)


def _parquet(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, path: Path, rows: Path | None = None
) -> str:
    """The rows of a Parquet file, or those that lie in another one; errors name the first."""
    file = _named(rows or path)
    names = _columns(connection, dataset, path, f"read_parquet({file})", "is not a Parquet file")
    # rows that are numbered by the file can be read by several threads, where counting them takes one
    return _select(dataset, names, f"read_parquet({file}, file_row_number = true)", row="file_row_number + 1")


def _columns(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, path: Path, relation: str, complaint: str
) -> list[str]:
    """The names of a relation's columns, checked."""
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.IOException,
    ) as error:
        # these speak of names and files, never of values
        raise UsageError(f"{path} {complaint}: {str(error).splitlines()[0]}", "Correct it.") from error
    except duckdb.Error as error:
        raise UsageError(f"{path} {complaint}.", "Export it again.") from error
    names = [str(row[0]) for row in described]
    _check_columns(dataset, names, path)
    return names


def _ndjson(connection: duckdb.DuckDBPyConnection, dataset: Dataset, path: Path) -> str:
    # Lines are read as lines: DuckDB's JSON reader gives up the file, or the text, of one that is malformed.
    lines = (
        f"(SELECT line FROM read_csv({_named(path)}, auto_detect=false, header=false, delim='', quote='', "
        f"escape='', columns={{'line': 'VARCHAR'}}, encoding='{_encoding(path)}', {_LINES})"
        " WHERE nullif(trim(line), '') IS NOT NULL)"
    )
    good = "json_valid(line) AND json_type(line) = 'OBJECT'"
    keys = f"json_keys(CASE WHEN {good} THEN line END)"
    names = [row[0] for row in connection.execute(f"SELECT DISTINCT unnest({keys}) FROM {lines}").fetchall()]
    empty = connection.execute(f"SELECT count(*) = 0 FROM {lines}").fetchall() == [(True,)]
    if not names and not empty:
        raise UsageError(
            f"{path} has no line that is a JSON object.",
            "NDJSON is one object a line. To make it of an array: jq -c '.[]' FILE",
        )
    _check_columns(dataset, list(dataset.columns) if empty else names, path)
    paths = ", ".join(literal(f'$."{name}"') for name in dataset.columns)
    values = ", ".join(f"v[{place}] AS {name}" for place, name in enumerate(dataset.columns, start=1))
    return (
        f"SELECT row_number() OVER () AS row, {values},"
        " CASE WHEN v IS NULL THEN 'the line is not a JSON object' END AS problem,"
        " CASE WHEN v IS NULL THEN line END AS line"
        f" FROM (SELECT line, CASE WHEN {good} THEN json_extract_string(line, [{paths}]) END AS v FROM {lines})"
    )


_READERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Dataset, Path], str]] = {
    "csv": _csv,
    "parquet": _parquet,
    "ndjson": _ndjson,
}


def _select(dataset: Dataset, names: Sequence[str], relation: str, row: str = "row_number() OVER ()") -> str:
    given = {name.strip().lower(): name for name in names}
    columns = ", ".join(
        f'CAST("{given[name]}" AS VARCHAR) AS {name}' if name in given else f"NULL::VARCHAR AS {name}"
        for name in dataset.columns
    )
    return f"SELECT {row} AS row, {columns}, NULL::VARCHAR AS problem, NULL::VARCHAR AS line FROM {relation}"


def _check_columns(dataset: Dataset, names: Sequence[str], path: Path) -> None:
    given = [name.strip().lower() for name in names]
    unknown = [name for name in given if name not in dataset.columns]
    twice = sorted({name for name in given if given.count(name) > 1})
    missing = [field.name for field in dataset.fields if not field.nullable and field.name not in given]
    if twice:
        raise UsageError(f"{path} has the column {_names(twice)} more than once.", "Leave one of them out.")
    if unknown:
        hints = [
            f"`{name}` is not a field of {dataset.name}{_hint(dataset, name, given)}" for name in unknown
        ]
        raise UsageError(f"{path}: {'; '.join(hints)}.", _rename(dataset))
    if missing:
        raise UsageError(f"{path} lacks the column {_names(missing)}.", _rename(dataset))


def _hint(dataset: Dataset, name: str, given: Sequence[str]) -> str:
    free = [column for column in dataset.columns if column not in given]
    known = [alias for alias in _ALIASES.get(name, ()) if alias in free]
    close = known or difflib.get_close_matches(name, free, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _rename(dataset: Dataset) -> str:
    return (
        f"Rename it or leave it out; a .sql file can do either. The fields of {dataset.name} are "
        f"{', '.join(dataset.columns)}."
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _encoding(path: Path) -> str:
    """`utf-8`, or `latin-1` where the bytes are not UTF-8, with a warning."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        head = file.read(2)
        if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UsageError(f"{path} is in UTF-16.", "Save it as UTF-8.")
        file.seek(0)
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            _log.warning(
                "%s is not UTF-8 and is read as Latin-1; save it as UTF-8 if texts look wrong.", path
            )
            return "latin-1"
    return "utf-8"


def _header(path: Path, encoding: str, dataset: Dataset) -> tuple[list[str], str]:
    """The column names of a CSV, and the delimiter that yields most names that are known."""
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        head = file.read(_BLOCK)
    best: tuple[list[str], str] = ([], ",")
    most = -1
    for delimiter in ",;\t|":
        names = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
        known = sum(name.strip().lower() in dataset.columns for name in names)
        if known > most:
            best, most = (names, delimiter), known
    if not any(name.strip() for name in best[0]):
        raise UsageError(f"{path} has no header line.", _rename(dataset))
    return best
