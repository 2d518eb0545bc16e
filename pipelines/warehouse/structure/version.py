"""The version of the warehouse's tables, in the table sync.version.

The next writer completes an older warehouse (see `tables`), and later pulls replace its datasets. A newer warehouse
is refused. What does not belong here: the tables.
"""

from collections.abc import Mapping

import duckdb

from pipelines.errors import StorageError
from schemas.derived.tables import Shown, comments, create_table
from schemas.own_tables.sync import WRITTEN_BY

VERSION = 3
"""Raise it when a table changes in a way that an older program cannot write."""

_TABLE = "sync.version"


def refuse_newer(connection: duckdb.DuckDBPyConnection) -> None:
    """Check that this program supports the version of an open warehouse.

    Raises:
        StorageError: a newer program wrote it.
    """
    try:
        ((found,),) = connection.execute(f"SELECT version FROM {_TABLE}").fetchall()
    except duckdb.CatalogException:
        return  # empty, or of the first version, which had no version table
    if found > VERSION:
        raise StorageError(
            f"The warehouse was written by a newer Trackly Sync (its version is {found}, this one knows {VERSION}).",
            "Install the newer Trackly Sync again, or pull into another TRACKLY_DATA_DIR.",
        )


def stamp(connection: duckdb.DuckDBPyConnection, found: Mapping[str, Shown]) -> None:
    """Record that all tables have this version; if they had it before, the record of the views is kept.

    Args:
        connection: to the warehouse.
        found: the catalog's entry of each table, by its qualified name.
    """
    schema, _, _ = _TABLE.partition(".")
    _, columns = found.get(_TABLE, (None, []))
    names = {name for name, *_ in columns}
    if "views" in names:
        connection.execute(f"UPDATE {_TABLE} SET version = {VERSION} WHERE version <> {VERSION}")
        if "ledger" not in names:
            connection.execute(f"ALTER TABLE {_TABLE} ADD COLUMN ledger VARCHAR")
            _comment(connection)
        return
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; DROP TABLE IF EXISTS {_TABLE}")
    connection.execute(create_table(_TABLE, WRITTEN_BY.fields))
    connection.execute(f"INSERT INTO {_TABLE} (version) VALUES ({VERSION})")
    _comment(connection)


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    for comment in comments(_TABLE, WRITTEN_BY, WRITTEN_BY.fields):
        connection.execute(comment)


def views_made_of(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the digest that `note_views` recorded; None if views were never made, or by an older program."""
    ((digest,),) = connection.execute(f"SELECT views FROM {_TABLE}").fetchall()
    return None if digest is None else str(digest)


def note_views(connection: duckdb.DuckDBPyConnection, digest: str) -> None:
    """Record the digest of what the views were made from."""
    connection.execute(f"UPDATE {_TABLE} SET views = ?", [digest])


def note_ledger(connection: duckdb.DuckDBPyConnection, state: str | None) -> None:
    """Record which state of the ledger the schema imports shows; None if there is no ledger."""
    connection.execute(f"UPDATE {_TABLE} SET ledger = ? WHERE ledger IS DISTINCT FROM ?", [state, state])


def ledger_shown(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the state that `note_ledger` recorded; "" if none yet, None if an older program made the table."""
    try:
        ((state,),) = connection.execute(f"SELECT ledger FROM {_TABLE}").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    return str(state or "")
