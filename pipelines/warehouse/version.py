"""The version of the warehouse's tables, in the table sync.version.

An older warehouse is completed by the next writer (see `tables`), whose datasets are then replaced pull by pull; a
newer one is refused. What does not belong here: the tables.
"""

import duckdb

from pipelines.errors import StorageError
from schemas.sync import WRITTEN_BY
from schemas.tables import comments

VERSION = 3
"""Raise it when a table changes in a way that an older program cannot write."""

_TABLE = "sync.version"


def refuse_newer(connection: duckdb.DuckDBPyConnection) -> None:
    """See that this program knows the tables of an open warehouse.

    Raises:
        StorageError: a newer program wrote it.
    """
    known = "SELECT 1 FROM duckdb_tables() WHERE schema_name || '.' || table_name = ?"
    if not connection.execute(known, [_TABLE]).fetchall():
        return  # empty, or of the first version, which did not say so
    ((found,),) = connection.execute(f"SELECT version FROM {_TABLE}").fetchall()
    if found > VERSION:
        raise StorageError(
            f"The warehouse was written by a newer Trackly Sync (its version is {found}, this one knows {VERSION}).",
            "Install the newer Trackly Sync again, or pull into another TRACKLY_DATA_DIR.",
        )


def stamp(connection: duckdb.DuckDBPyConnection) -> None:
    """Say that all tables are of this version."""
    connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS sync; CREATE OR REPLACE TABLE {_TABLE} AS SELECT {VERSION}::BIGINT AS version"
    )
    for comment in comments(_TABLE, WRITTEN_BY, WRITTEN_BY.fields):
        connection.execute(comment)
