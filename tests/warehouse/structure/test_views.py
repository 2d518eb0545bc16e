"""Views and macros are made again exactly where something that they are made of has changed."""

from pathlib import Path

import duckdb

from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.version import note_views
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import reading, replacing

_COMMENT = "SELECT comment FROM duckdb_views() WHERE schema_name = 'marts' AND view_name = 'list_health'"


def comment(connection: duckdb.DuckDBPyConnection) -> str:
    ((text,),) = connection.execute(_COMMENT).fetchall()
    return str(text)


def test_views_stay_until_what_they_are_made_of_changes(tmp_path: Path) -> None:
    """A second publish leaves them alone; one after another program's makes them again."""
    path = tmp_path / "warehouse.duckdb"
    with replacing(path) as connection:
        complete(connection)
        create_views(connection)
        made = comment(connection)
        connection.execute("COMMENT ON VIEW marts.list_health IS 'left alone'")
    with replacing(path) as connection:
        complete(connection)
        create_views(connection)
        assert comment(connection) == "left alone"
        note_views(connection, "of another program")
        create_views(connection)
        assert comment(connection) == made
        connection.execute("COMMENT ON VIEW marts.list_health IS 'an older program'")
        connection.execute("CREATE OR REPLACE TABLE sync.version AS SELECT 1::BIGINT AS version")
        complete(connection)
        create_views(connection)
        assert comment(connection) == made


def test_columns_in_another_order_make_the_views_again(tmp_path: Path) -> None:
    """A table that was completed has its new columns at the end; replaced later, it has them in place."""
    path = tmp_path / "warehouse.duckdb"
    with replacing(path) as connection:
        complete(connection)
        connection.execute("CREATE TABLE now AS FROM main.lists; DROP TABLE main.lists")
        connection.execute(
            "CREATE TABLE main.lists AS SELECT extra, * EXCLUDE (extra) FROM now; DROP TABLE now"
        )
        create_views(connection)
    with replacing(path) as connection:
        connection.execute("CREATE TABLE now AS FROM main.lists; DROP TABLE main.lists")
        connection.execute(
            "CREATE TABLE main.lists AS SELECT * EXCLUDE (extra), extra FROM now; DROP TABLE now"
        )
        create_views(connection)
    with reading(path) as connection:
        assert connection.execute("SELECT * FROM main.lists_history").fetchall() == []
        assert connection.execute("SELECT * FROM marts.list_health").fetchall() == []
