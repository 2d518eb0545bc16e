"""The program that runs the query of a `.sql` file in a process of its own; `query_cage` starts it.

It starts with an empty environment, in the folder of the `.sql` file. Its task is one JSON object on standard input,
its answer one on standard output. It imports the standard library and DuckDB only. It ends when standard input
closes, so that it never outlives the process that started it.

What does not belong here: which queries may run at all (`files.query_statement`, `files.query_inputs`).
"""

import json
import os
import resource
import sys
import threading
from typing import Any, NamedTuple

_TEXTS = ("DATE", "TIME", "TIMESTAMP", "UUID", "INTERVAL")
_DECIMALS = "DECIMAL(38, 12)"
_NATIVE = ("DOUBLE", "FLOAT", "BLOB", "VARCHAR")
_NESTED = ("STRUCT", "MAP")
_NO_COLUMN = ("JSON", "UNION", "VARIANT", "GEOMETRY")


class _RefusedError(Exception):
    """The reason for a refusal: a kind, and a text that quotes no data."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(text)
        self.kind = kind


class _Column(NamedTuple):
    name: str
    type: str


def main() -> None:
    """Run one query. The exit code is 0 even if the query fails; the answer then says why."""
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()
    _limit(task)
    answer: dict[str, Any] = {}
    try:
        _run(task)
    except _RefusedError as refused:
        answer = {"error": refused.kind, "text": str(refused)}
    except MemoryError:  # pragma: no cover - whether Python or DuckDB is refused first is up to the machine
        answer = {"error": "OutOfMemoryException", "text": ""}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # skip the clean-up of Python and of a DuckDB that may be broken


def _end_with_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _limit(task: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (task["file_size"], task["file_size"]))
    resource.setrlimit(resource.RLIMIT_AS, (task["address_space"], task["address_space"]))


def _run(task: dict[str, Any]) -> None:
    sys.path.append(sys.argv[1])
    import duckdb  # noqa: PLC0415 - only under the limits

    try:
        connection = _connect(duckdb, task)
        for scan in task["scans"]:
            _refuse_guesses(duckdb, connection, scan, set(task["names"]))
        _write(connection, task)
    except duckdb.Error as error:
        raise _RefusedError(type(error).__name__, _plain(error)) from None


def _connect(duckdb: Any, task: dict[str, Any]) -> Any:
    connection = duckdb.connect(
        config={
            "memory_limit": task["memory"],
            "threads": 2,
            "temp_directory": task["spill"],
            "max_temp_directory_size": task["spill_size"],
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    # Parquet statistics ignore NaN, so with them `isnan` would be false for every row
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    if task["warehouse"]:
        connection.execute(f"ATTACH {_literal(task['warehouse'])} AS warehouse (READ_ONLY)")
    connection.execute(f"SET allowed_directories = [{_literal(os.getcwd() + '/')}]")  # noqa: PTH109 - no pathlib here
    paths = ", ".join(map(_literal, [task["output"], *task["files"]]))
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _refuse_guesses(duckdb: Any, connection: Any, scan: dict[str, Any], known: set[str]) -> None:
    """Refuse columns whose type DuckDB guessed, if their values may differ from what the file says."""
    if scan["declared"] is None or scan["kind"] not in ("csv", "json"):
        return
    columns = _described(connection, scan["call"])
    if doubtful := _doubtful(duckdb, connection, scan, columns):
        raise _RefusedError(f"guessed {scan['kind']}", _names(columns, doubtful, known))


def _doubtful(duckdb: Any, connection: Any, scan: dict[str, Any], columns: list[_Column]) -> list[int]:
    """Return the columns of guessed types whose values may differ from what the file says."""
    guessed = [place for place, column in enumerate(columns) if _is_guessed(column, scan)]
    doubtful = [place for place in guessed if _is_doubtful(columns[place].type, scan)]
    if doubtful or not guessed or scan["kind"] != "csv":
        return doubtful
    return _changed(duckdb, connection, scan, columns, guessed)


def _is_guessed(column: _Column, scan: dict[str, Any]) -> bool:
    name = column.name.lower()
    if column.type == "VARCHAR" or name in scan["declared"]:
        return False
    return scan["used"] is None or name in scan["used"]


def _is_doubtful(type_: str, scan: dict[str, Any]) -> bool:
    return any(word in type_ for word in _TEXTS) and not type_.startswith(tuple(scan["formats"]))


def _changed(
    duckdb: Any, connection: Any, scan: dict[str, Any], columns: list[_Column], guessed: list[int]
) -> list[int]:
    """Return the columns of guessed numbers or flags in which a value differs from the text in the file."""
    try:
        texts = _described(connection, scan["textual"])
        if [column.name for column in texts] != [column.name for column in columns]:
            return guessed
        tests = ", ".join(
            f"coalesce(bool_and({_same(_quoted(columns[place].name), columns[place].type)}), true)"
            for place in guessed
        )
        (same,) = connection.execute(f"SELECT {tests} FROM {scan['textual']}\n").fetchall()
    except duckdb.Error:  # the file reads differently as texts, so nothing about it is certain
        return guessed
    return [place for place, good in zip(guessed, same, strict=True) if not good]


def _same(name: str, type_: str) -> str:
    """Return an SQL condition: writing the value gives the text again, or the text is the same decimal."""
    if type_ == "BOOLEAN":
        return f"lower({name}) IN ('true', 'false')"
    if type_ in ("DOUBLE", "FLOAT"):
        value = f"TRY_CAST(CAST(TRY_CAST({name} AS {type_}) AS VARCHAR) AS {_DECIMALS})"
        plain = f"regexp_full_match({name}, '-?(0|[1-9][0-9]*)(\\.[0-9]+)?')"
        return f"({plain} AND coalesce(TRY_CAST({name} AS {_DECIMALS}) = {value}, false))"
    return f"coalesce(CAST(TRY_CAST({name} AS {type_}) AS VARCHAR) = {name}, false)"


def _described(connection: Any, relation: str) -> list[_Column]:
    found = connection.execute(f"DESCRIBE FROM {relation}\n").fetchall()
    return [_Column(str(row[0]), str(row[1])) for row in found]


def _write(connection: Any, task: dict[str, Any]) -> None:
    """Write the query's result as Parquet: numbers, times and flags as their exact text, the rest unchanged."""
    relation = connection.sql(task["text"])
    columns = [_Column(*pair) for pair in zip(relation.columns, map(str, relation.types), strict=True)]
    _refuse_unusable(columns, set(task["names"]))
    projected = [
        # a CSV without a header has personal data for column names, and the plan shows the names of unknown columns
        _projected(column, f"column {place}" if _is_strange(column, task) else column.name)
        for place, column in enumerate(columns, start=1)
    ]
    relation.project(", ".join(projected)).write_parquet(task["output"], compression="zstd")


def _refuse_unusable(columns: list[_Column], known: set[str]) -> None:
    """Refuse columns of types that hold no plain value, and names that occur twice."""
    unusable = [place for place, column in enumerate(columns) if column.type.startswith(_NO_COLUMN)]
    if unusable:
        raise _RefusedError("unusable", _names(columns, unusable, known))
    folded = [column.name.lower() for column in columns]
    if twice := [place for place, name in enumerate(folded) if name in folded[:place]]:
        raise _RefusedError("twice", _names(columns, twice, known))


def _is_strange(column: _Column, task: dict[str, Any]) -> bool:
    """Return whether neither the contract nor the query names a column of a query that reads CSV."""
    name = column.name.lower()
    if not any(scan["kind"] == "csv" for scan in task["scans"]):
        return False
    return name not in task["names"] and name not in task["text"].lower()


def _projected(column: _Column, name: str) -> str:
    value = _quoted(column.name)
    if column.type not in _NATIVE and not column.type.startswith(_NESTED) and not column.type.endswith("]"):
        value = f"CAST({value} AS VARCHAR)"
    return f"{value} AS {_quoted(name)}"


def _plain(error: Exception) -> str:
    """Return the first line of an error about names; empty for an error that may quote data."""
    if type(error).__name__ not in (
        "BinderException",
        "CatalogException",
        "IOException",
        "NotImplementedException",
        "ParserException",
        "PermissionException",
        "SyntaxException",
    ):
        return ""
    text = (str(error).splitlines() or [""])[0]
    return text.partition("Candidate")[0].strip().rstrip(".!")


def _names(columns: list[_Column], places: list[int], known: set[str]) -> str:
    """Return the names of columns that the query or the contract has; others by number, as they may be data."""
    return ", ".join(
        f"`{columns[place].name}`" if columns[place].name.lower() in known else f"column {place + 1}"
        for place in places
    )


def _quoted(name: str) -> str:
    """Quote a name as `schemas.derived.tables.quoted` does; this process cannot import our modules."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


if __name__ == "__main__":
    main()
