"""A table that is replaced is empty and as declared, whatever it was before."""

from pathlib import Path

import duckdb

from pipelines.warehouse.structure.tables import complete, declared
from pipelines.warehouse.swap import replacing
from schemas.derived.tables import shown
from schemas.own_tables.sync import RUNS

_TABLE = "WHERE schema_name = 'sync' AND table_name = 'runs'"
_COLUMNS = f"SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns() {_TABLE} ORDER BY column_index"
_ROW = (
    "INSERT INTO sync.runs (run, activity, started_at, status, rows) VALUES ('r', 'pull', now(), 'failed', 1)"
)

CHANGES = [
    "COMMENT ON COLUMN sync.runs.run IS 'of an older program'",
    "COMMENT ON TABLE sync.runs IS NULL",
    "ALTER TABLE sync.runs ALTER rows TYPE VARCHAR",
    "ALTER TABLE sync.runs DROP rows; ALTER TABLE sync.runs ADD rows BIGINT",
    "ALTER TABLE sync.runs ADD older VARCHAR",
    "ALTER TABLE sync.runs ALTER rows SET NOT NULL",
    "DROP TABLE sync.runs",
]


def number(connection: duckdb.DuckDBPyConnection) -> object:
    """Of the table in DuckDB's catalog: another one where it was made again."""
    return connection.execute(f"SELECT table_oid FROM duckdb_tables() {_TABLE}").fetchall()


def test_a_replaced_table_is_as_declared(tmp_path: Path) -> None:
    """Whatever another program has left there; it is made again only where something differs."""
    with replacing(tmp_path / "warehouse.duckdb") as connection:
        for change in ["", *CHANGES]:
            complete(connection)
            connection.execute(_ROW)
            before = number(connection)
            connection.execute(change or "SELECT 1")
            complete(connection).replace("sync.runs", RUNS, RUNS.fields)
            found = connection.execute(f"SELECT comment FROM duckdb_tables() {_TABLE}").fetchall()
            assert (found[0][0], connection.execute(_COLUMNS).fetchall()) == shown(RUNS, RUNS.fields), change
            assert connection.execute("SELECT count(*) FROM sync.runs").fetchall() == [(0,)]
            assert (number(connection) == before) == (not change)


def test_every_table_is_known_again(tmp_path: Path) -> None:
    """As the catalog shows it, whatever the types of its columns: none of them is made again for nothing."""
    every = (
        "SELECT table_oid FROM duckdb_tables() WHERE schema_name IN ('main', 'quarantine', 'sync', 'imports')"
    )
    with replacing(tmp_path / "warehouse.duckdb") as connection:
        tables = complete(connection)
        before = connection.execute(every).fetchall()
        for table, dataset, fields in declared():
            tables.replace(table, dataset, fields)
        assert connection.execute(every).fetchall() == before


def test_a_large_table_gives_its_room_to_the_one_that_takes_its_place(tmp_path: Path) -> None:
    """Else a warehouse would hold the old rows beside the new ones."""
    with replacing(tmp_path / "warehouse.duckdb") as connection:
        complete(connection)
        connection.execute(
            "INSERT INTO sync.runs (run, activity, started_at, status, rows)"
            " SELECT uuid() || uuid() || uuid(), 'pull', now(), 'failed', n FROM range(50_000) t(n)"
        )
        connection.execute("CHECKPOINT")
        used = "SELECT used_blocks FROM pragma_database_size() WHERE database_name = current_database()"
        (before,) = connection.execute(used).fetchall()
        complete(connection).replace("sync.runs", RUNS, RUNS.fields)
        (after,) = connection.execute(used).fetchall()
        assert connection.execute("FROM sync.runs").fetchall() == []
    assert after[0] < before[0] / 2
