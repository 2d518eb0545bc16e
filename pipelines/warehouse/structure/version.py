"""The version of the warehouse's tables, in the table sync.version.

An older warehouse is completed by the next writer (see `tables`), whose datasets are then replaced pull by pull; a
newer one is refused. What does not belong here: the tables.
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
    """See that this program knows the tables of an open warehouse.

    Raises:
        StorageError: a newer program wrote it.
    """
    try:
        ((found,),) = connection.execute(f"SELECT version FROM {_TABLE}").fetchall()
    except duckdb.CatalogException:
        return  # empty, or of the first version, which did not say so
    if found > VERSION:
        raise StorageError(
            f"The warehouse was written by a newer Trackly Sync (its version is {found}, this one knows {VERSION}).",
            "Install the newer Trackly Sync again, or pull into another TRACKLY_DATA_DIR.",
        )


def stamp(connection: duckdb.DuckDBPyConnection, found: Mapping[str, Shown]) -> None:
    """Record that all tables are of this version; what is recorded of the views stays where that is so already.

    Args:
        connection: to the warehouse.
        found: what the catalog shows of each table, by its qualified name.
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
    """The digest that `note_views` recorded; None where views were never made, or by an older program."""
    ((digest,),) = connection.execute(f"SELECT views FROM {_TABLE}").fetchall()
    return None if digest is None else str(digest)


def note_views(connection: duckdb.DuckDBPyConnection, digest: str) -> None:
    """Record what the views were made of."""
    connection.execute(f"UPDATE {_TABLE} SET views = ?", [digest])


def note_ledger(connection: duckdb.DuckDBPyConnection, state: str | None) -> None:
    """Record which state of the ledger schema imports shows; None: there is no ledger."""
    connection.execute(f"UPDATE {_TABLE} SET ledger = ? WHERE ledger IS DISTINCT FROM ?", [state, state])


def ledger_shown(connection: duckdb.DuckDBPyConnection) -> str | None:
    """What `note_ledger` recorded, "" where it has not yet; None where an older program made the table."""
    try:
        ((state,),) = connection.execute(f"SELECT ledger FROM {_TABLE}").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    return str(state or "")
