"""Views and macros of the warehouse, made again only where something that they are made of has changed.

Making them takes a fifth of a second of processor time; a small publish hardly takes more. What does not belong
here: what they are (`history.views`, `marts`), and the tables that they read (`tables`).
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
"""What makes the tables: a view of `SELECT *` no longer fits one that has other columns, or in another order."""


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every view and macro, unless they are as they should be; the tables must be complete."""
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
    """What makes them: files and declarations, which are the same as long as the process runs."""
    return (*history_views.statements(), *derived_views.statements(), *marts.statements())
