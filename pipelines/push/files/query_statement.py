"""Checks the text of a `.sql` file before anything runs: it must be one SELECT. Lists the files that it reads.

DuckDB's own parser does the work; nothing is bound or executed. What does not belong here: finding the files that
match those names (`query_inputs`), and running the query (`stage.query_cage`).
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.databases.duckdb_instances import attached
from pipelines.errors import UsageError
from pipelines.storage import storage_errors
from schemas.derived.tables import literal, quoted

_LONGEST = 1 << 20
"""Most bytes of a query; no query that a person writes is longer."""

ONE_SELECT = (
    "A .sql source is exactly one SELECT that yields the columns of its dataset; take out everything else."
)

_READERS = {
    **dict.fromkeys(("read_csv", "read_csv_auto"), "csv"),
    **dict.fromkeys(("read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto"), "json"),
    **dict.fromkeys(("read_json_objects", "read_json_objects_auto", "read_ndjson_objects"), "text"),
    **dict.fromkeys(("read_text", "read_blob"), "text"),
    **dict.fromkeys(("read_parquet", "parquet_scan"), "parquet"),
}
"""Functions that read files, with the format that each expects; only csv and json guess types."""

_TABLES = frozenset({"range", "generate_series", "unnest", "repeat", "json_each", "json_tree"})
"""The other table functions that a query may use: they compute, and read no file or network."""

_ENDINGS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet"} | dict.fromkeys(
    (".json", ".jsonl", ".ndjson"), "json"
)
"""Formats that DuckDB infers from the ending of a file name used as a table; `.gz` or `.zst` may follow."""

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Nodes that only read. DuckDB's parser calls a statement SELECT even if its WITH holds INSERT, DELETE or COPY."""

_STATEMENTS = {"VARIABLE_SET": "SET", "MULTI": "PIVOT without the list of its values"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A place where a query reads files.

    Attributes:
        kind: csv, json, parquet or text.
        names: the file names or patterns, as written.
        call: the SQL of this place alone, with its alias.
        textual: `call` with every column read as text; used for csv.
        alias: the name that the query gives the rows.
        declared: columns whose types the query declares; None if it declares all of them.
        formats: DATE or TIMESTAMP, for each whose format the query declares.
        hive: whether the query says how to treat folders named `key=value`.
    """

    kind: str
    names: tuple[str, ...]
    call: str
    textual: str
    alias: str
    declared: frozenset[str] | None
    formats: frozenset[str]
    hive: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A `.sql` file that is one SELECT.

    Attributes:
        path: the file.
        text: the SELECT, without a semicolon.
        scans: the places where the query reads files.
        names: every name of a column or a table in the query, in lower case.
        any_column: whether the query may use columns of its files without naming them, as `*` does.
        warehouse: whether the query reads the warehouse.
    """

    path: Path
    text: str
    scans: tuple[Scan, ...]
    names: frozenset[str]
    any_column: bool
    warehouse: bool


def parse(path: Path) -> Query:
    """Read and check a `.sql` file; the file names in it are not looked up.

    Raises:
        UsageError: the text is not one SELECT, or uses functions that a source may not use.
        StorageError: the file cannot be read.
    """
    text, tree = _tree(path, _text(path))
    nodes = list(_nodes(tree))
    _refuse_changes(path, nodes)
    made = {str(pair.get("key", "")).lower() for node in nodes for pair in _pairs(node)}
    scans = [scan for node in nodes if (scan := _scan(path, text.encode(), node, made))]
    names, any_column = _used(nodes, scans)
    warehouse = any("warehouse" in _path_of(node)[:-1] for node in nodes)
    return Query(path, text, tuple(scans), names, any_column, warehouse)


def _text(path: Path) -> str:
    with storage_errors("read", path):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not block
        with open(handle, "rb") as file:  # noqa: PTH123 - opened by file descriptor
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is not a file.", "Put the query into a plain file.")
            content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise UsageError(f"{path} is longer than 1 MB.", "Keep data in files beside it and read them.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None


def _tree(path: Path, text: str) -> tuple[str, Any]:
    """Return the statement as text, without semicolons and comments after it, and as a parsed tree."""
    with attached(None, "query") as connection:  # it parses the text and runs nothing
        _refuse_other(connection, path, text)
        found = _serialized(connection, text)
        # DuckDB accepts a semicolon and a comment after a statement, but not inside a larger statement
        while (end := text.rfind(";")) >= 0 and _serialized(connection, text[:end]) == found:
            text = text[:end]
    try:
        tree = json.loads(found)
    except RecursionError:
        tree = {"error": True}
    if tree.get("error"):
        raise UsageError(
            f"{path} is a query that is nested too deeply to be checked.", "Nest it less deeply."
        )
    return f"{text}\n", tree["statements"]


def _refuse_other(connection: duckdb.DuckDBPyConnection, path: Path, text: str) -> None:
    """Raise if the text is anything but one SELECT."""
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:  # the error is about the query only: no data has been read
        why = str(error).splitlines()[0]
        raise UsageError(f"{path} is not a SELECT that DuckDB can run: {why}.", "Correct it.") from None
    kinds = [statement.type.name for statement in statements]
    if len(kinds) != 1:
        raise UsageError(f"{path} holds {len(kinds) or 'no'} statements.", ONE_SELECT)
    if kinds != ["SELECT"]:
        kind = _STATEMENTS.get(kinds[0], kinds[0].replace("_", " "))
        raise UsageError(f"{path} is no SELECT: it holds {kind}.", ONE_SELECT)


def _serialized(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    ((found,),) = connection.execute(
        "SELECT json_serialize_sql(?::VARCHAR, skip_empty := true, skip_null := true)", [text]
    ).fetchall()
    return str(found)


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of the parsed statement, roughly in the order of the text."""
    todo = [tree]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            yield part
            todo += reversed(part.values())
        elif isinstance(part, list):
            todo += reversed(part)


def _pairs(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the names that the WITH of a node defines."""
    found = node.get("cte_map")
    pairs = found.get("map", []) if isinstance(found, dict) else []
    return [pair for pair in pairs if isinstance(pair, dict)]


def _refuse_changes(path: Path, nodes: list[Mapping[str, Any]]) -> None:
    for node in nodes:
        kind = node.get("type")
        if not isinstance(kind, str) or "class" in node:
            continue
        if kind.endswith("_NODE") and kind not in _NODES:
            name = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise UsageError(f"{path} does more than read: it holds {name}.", ONE_SELECT)
        if kind == "SHOW_REF":
            raise UsageError(f"{path} is no SELECT: it holds DESCRIBE, SHOW or SUMMARIZE.", ONE_SELECT)


def _scan(path: Path, text: bytes, node: Mapping[str, Any], made: set[str]) -> Scan | None:
    """Return the scan of a node that reads files, else None."""
    kind = node.get("type")
    if kind == "BASE_TABLE":
        return _named_scan(path, text, node, made)
    if kind == "TABLE_FUNCTION":
        return _called_scan(path, text, node)
    return None


def _named_scan(path: Path, text: bytes, node: Mapping[str, Any], made: set[str]) -> Scan | None:
    """Return the scan of a node that names a file in place of a table, else None."""
    name = str(node.get("table_name", ""))
    if len(_path_of(node)) > 1 or not set(name) & set("./*?[~") or name.lower() in made:
        return None
    stem = name.lower().removesuffix(".gz").removesuffix(".zst")
    kind = next((kind for ending, kind in _ENDINGS.items() if stem.endswith(ending)), None)
    if kind is None:
        raise UsageError(
            f"{path} reads `{name}`, and the name does not say what it is.",
            f"Use read_csv('{name}', all_varchar = true), read_parquet or read_json.",
        )
    alias = str(node.get("alias") or Path(name).name.partition(".")[0])
    textual = f"read_csv({literal(name)}, all_varchar = true){_renamed(node, alias)}"
    return Scan(
        kind=kind,
        names=(name,),
        call=_slice(text, node),
        textual=textual,
        alias=alias,
        declared=frozenset(),
        formats=frozenset(),
        hive=False,
    )


def _path_of(node: Mapping[str, Any]) -> list[str]:
    """Return a table's name with catalog and schema first, in lower case; empty for other nodes."""
    found = node.get("qualified_name", {}).get("path", []) if node.get("type") == "BASE_TABLE" else []
    return [str(name).lower() for name in found]


def _renamed(node: Mapping[str, Any], alias: str) -> str:
    """Return `AS alias(columns)` if the query renames the columns, else an empty text."""
    columns = [quoted(str(name)) for name in node.get("column_name_alias", [])]
    return f" AS {quoted(alias)}({', '.join(columns)})" if columns else ""


def _called_scan(path: Path, text: bytes, node: Mapping[str, Any]) -> Scan | None:
    function = node["function"]
    called = str(function.get("function_name", "")).lower()
    if called in _TABLES:
        return None
    kind = _READERS.get(called)
    if kind is None:
        raise UsageError(
            f"{path} uses {called}(), which a .sql source may not.",
            f"It may read files beside it ({', '.join(sorted(_READERS))}) and use {', '.join(sorted(_TABLES))}.",
        )
    given, options = _arguments(function)
    names = _names(given[0]) if len(given) == 1 else None
    if names is None:
        raise UsageError(
            f"{path}: the files of {called}() must be written out.",
            "Name them in quotes, such as 'export.csv', '2026-*.csv' or ['a.csv', 'b.csv'].",
        )
    first = given[0]
    end = first["query_location"] + first["query_location_length"]
    start, stop = node["query_location"], node["query_location"] + node["query_location_length"]
    textual = (text[start:end] + b", all_varchar = true" + text[end:stop]).decode(errors="replace")
    formats = {"timestampformat": "TIMESTAMP", "dateformat": "DATE"}
    return Scan(
        kind=kind,
        names=names,
        call=_slice(text, node),
        textual=textual,
        alias=str(node.get("alias") or called),
        declared=_declared(options),
        formats=frozenset(formats[name] for name in options if name in formats),
        hive="hive_partitioning" in options,
    )


def _slice(text: bytes, node: Mapping[str, Any]) -> str:
    start = node["query_location"]
    return text[start : start + node["query_location_length"]].decode(errors="replace")


def _arguments(function: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
    """Split arguments into those by position and those by name, in each of the three ways to write a name."""
    given: list[Mapping[str, Any]] = []
    options: dict[str, Mapping[str, Any]] = {}
    for argument in function.get("arguments", []):
        expression = argument["expression"]
        left = expression.get("left", {})
        if argument.get("name"):
            options[str(argument["name"]).lower()] = expression
        elif expression.get("type") == "COMPARE_EQUAL" and len(left.get("column_names", [])) == 1:
            options[str(left["column_names"][0]).lower()] = expression["right"]
        else:
            given.append(expression)
    return given, options


def _names(expression: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the text, or the texts of a list, if written as constants; else None."""
    if expression.get("function_name") == "list_value":
        return _all_names(expression.get("arguments", []))
    literal = expression.get("literal") if expression.get("class") == "CONSTANT" else None
    text = literal.get("text") if isinstance(literal, dict) and literal.get("kind") == "STRING" else None
    return (text,) if isinstance(text, str) and text else None


def _all_names(arguments: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """Return the texts of a list if each is written as a constant; else None."""
    found = [_names(argument["expression"]) for argument in arguments]
    single = [names[0] for names in found if names is not None and len(names) == 1]
    return tuple(single) if single and len(single) == len(found) else None


def _declared(options: Mapping[str, Mapping[str, Any]]) -> frozenset[str] | None:
    """Return the columns whose types are declared, in lower case; None if all are declared."""
    if "columns" in options or options.get("auto_detect", {}).get("literal", {}).get("text") == "false":
        return None
    names: set[str] = set()
    for option in ("types", "dtypes", "column_types"):
        if option not in options:
            continue
        arguments = options[option].get("arguments", [])
        if options[option].get("function_name") != "struct_pack":
            return None  # declared by position, so for all columns
        names |= {str(argument.get("name", "")).lower() for argument in arguments}
    return frozenset(names)


def _used(nodes: list[Mapping[str, Any]], scans: list[Scan]) -> tuple[frozenset[str], bool]:
    """Return the names in a query, and whether the query may use columns that it does not name."""
    aliases = {scan.alias.lower() for scan in scans}
    names: set[str] = set()
    every = False
    for node in nodes:
        kind = node.get("type")
        every |= kind in ("STAR", "POSITIONAL_REFERENCE", "PIVOT") or node.get("ref_type") == "NATURAL"
        if kind == "COLUMN_REF":
            found = [str(name).lower() for name in node.get("column_names", [])]
            every |= len(found) == 1 and found[0] in aliases  # a table's name stands for its whole row
            names.update(found)
        names.update(str(name).lower() for name in node.get("using_columns", []))
    return frozenset(names), every
