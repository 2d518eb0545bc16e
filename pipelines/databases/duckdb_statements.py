"""A DuckDB connection that parses each text once in a process.

To parse a statement, and to hand it over as text, takes a third of a statement on few rows; a push of one small file
has hundreds, which are the same for the next dataset, file or push. What does not belong here: instances, and what is
attached to them (`duckdb_instances`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import duckdb

_LONGEST = 8_000
"""Of a text that is kept, in characters: longer ones hold lists of files or values, and do not come again."""

_MOST = 600
"""How many statements are kept: those of a pull and a push that come again are some three hundred."""


def parsing_once(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection, whose texts are parsed once; a query sees registered names, no variables of Python."""
    # DuckDB's class cannot be derived from: it has no constructor
    return cast("duckdb.DuckDBPyConnection", _ParsingOnce(connection, []))


def noting_settings(connection: duckdb.DuckDBPyConnection) -> tuple[duckdb.DuckDBPyConnection, Sequence[str]]:
    """The same, and the statements so far that changed a setting, or perhaps did, being several in one text."""
    settings: list[str] = []
    return cast("duckdb.DuckDBPyConnection", _ParsingOnce(connection, settings)), settings


class _ParsingOnce:
    """All that a connection has, by its own name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: list[str]) -> None:
        self._connection = connection
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: str | duckdb.Statement, parameters: object = None) -> duckdb.DuckDBPyConnection:
        *before, last = _statements(query)
        if isinstance(query, str) and any(map(_may_set, (*before, last))):
            self._settings.append(query)
        for statement in before:
            self._connection.execute(statement)
        return self._connection.execute(last, parameters)

    def sql(self, query: str | duckdb.Statement, **options: Any) -> duckdb.DuckDBPyRelation:
        only = _statements(query)
        return self._connection.sql(only[0] if len(only) == 1 else query, **options)


def _may_set(statement: str | duckdb.Statement) -> bool:
    return isinstance(statement, str) or statement.type == duckdb.StatementType.SET


def _statements(query: str | duckdb.Statement) -> Sequence[str | duckdb.Statement]:
    """What is to be run for a text, one after the other; parameters are those of the last one, as DuckDB has it."""
    return _parsed(query) if isinstance(query, str) and len(query) <= _LONGEST else (query,)


@lru_cache(maxsize=_MOST)
def _parsed(text: str) -> Sequence[str | duckdb.Statement]:
    """The statements of a text; the text itself where it has none."""
    return tuple(duckdb.extract_statements(text)) or (text,)
