"""Views and macros of the warehouse, made again only if their declarations or tables have changed.

Making all views takes a fifth of a second of processor time; a small publish takes hardly more than that. What does
not belong here: their definitions (`history.views`, `marts`), and the tables that they read (`tables`).
"""

import hashlib
from functools import cache

import duckdb

from pipelines.warehouse import marts
from pipelines.warehouse.history import views as history_views
from pipelines.warehouse.structure import derived_views
from pipelines.warehouse.structure.version import note_views, views_made_of

_COLUMNS = (
    "SELECT string_agg(sql, ' ' ORDER BY schema_name, table_name) FROM duckdb_tables()"
    " WHERE database_name = current_database() AND NOT temporary"
)
"""The tables' definitions: a view of `SELECT *` is outdated if its table has other columns, or another order."""


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every view and macro, unless they are up to date; the tables must be complete."""
    statements = _statements()
    ((columns,),) = connection.execute(_COLUMNS).fetchall()
    made_of = hashlib.sha256("\0".join((*statements, columns)).encode()).hexdigest()
    if views_made_of(connection) == made_of:
        return
    connection.execute("BEGIN")  # one commit is several times cheaper than one per statement
    for statement in statements:
        connection.execute(statement)
    note_views(connection, made_of)
    connection.execute("COMMIT")


@cache
def _statements() -> tuple[str, ...]:
    """Return the statements for the views.

    Cached, since files and declarations do not change while a process runs.
    """
    return (*history_views.statements(), *derived_views.statements(), *marts.statements())
