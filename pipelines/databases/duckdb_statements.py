"""A DuckDB connection that parses each query text once per process.

Parsing a statement, and passing it as text, takes a third of the time of a statement on few rows. A push of one small
file has hundreds of statements, which are the same for the next dataset, file or push. What does not belong here:
instances and their attached databases (`duckdb_instances`).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import duckdb

_LONGEST = 8_000
"""Characters of the longest text that is cached.

Longer texts contain lists of files or values, and are not repeated.
"""

_MOST = 600
"""Most statements in the cache: the repeated statements of a pull and a push are about three hundred."""


def parsing_once(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return the connection with parsing cached; queries see registered names, but no Python variables."""
    # DuckDB's class cannot be subclassed: it has no constructor
    return cast("duckdb.DuckDBPyConnection", _ParsingOnce(connection, []))


def noting_settings(connection: duckdb.DuckDBPyConnection) -> tuple[duckdb.DuckDBPyConnection, Sequence[str]]:
    """Return such a connection, and a list of its statements that changed a setting, or may have.

    A text with several statements may have changed one.
    """
    settings: list[str] = []
    return cast("duckdb.DuckDBPyConnection", _ParsingOnce(connection, settings)), settings


class _ParsingOnce:
    """A connection with all methods of DuckDB's connection, which parses each text once."""

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
    """Return the statements of a text, to be run in order; parameters belong to the last one, as in DuckDB."""
    return _parsed(query) if isinstance(query, str) and len(query) <= _LONGEST else (query,)


@lru_cache(maxsize=_MOST)
def _parsed(text: str) -> Sequence[str | duckdb.Statement]:
    """Return the statements of a text; the text itself if it has none."""
    return tuple(duckdb.extract_statements(text)) or (text,)
