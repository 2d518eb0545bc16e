"""What a `.sql` file may be: one SELECT in any form, and nothing else."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from histories import EXPORT

from pipelines.errors import TracklySyncError, UsageError
from pipelines.push.files.find import Source, find_sources
from pipelines.push.files.query_inputs import files_of
from pipelines.push.stage.database import building, count, is_current
from pipelines.settings import load_settings
from schemas.registry import PUSHED

pytestmark = pytest.mark.usefixtures("forked")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'a' AS id",
        "SELECT 'a' AS id;",
        "\ufeff-- a comment\n/* another */ SELECT 'a' AS id ; -- and one\n;\n",
        "WITH t AS (SELECT 'a' AS id) SELECT * FROM t",
        "FROM (VALUES ('a')) t(id)",
        "FROM range(1) SELECT 'a' AS id",
        "(SELECT 'a' AS id)",
        "VALUES ('a')",
        "SELECT 'a' AS id WHERE 1 IN (SELECT unnest([1, 2]))",
        "SELECT id FROM read_csv('x.csv', all_varchar = true) LIMIT 1",
        "SELECT id FROM read_csv(['x.csv', 'sub/y.csv'], all_varchar := true) LIMIT 1",
        "SELECT id FROM 'x.csv' WHERE id = 'a'",
        "SELECT min(id) AS id FROM '*.csv'",
        "SELECT min(id) AS id FROM read_csv('**/*.csv', all_varchar => true)",
        "SELECT trim('a') AS id FROM read_text('x.csv')",
    ],
)
def test_every_form_of_one_select_is_run(run: Any, text: str) -> None:
    """With or without a semicolon and comments, in each of DuckDB's forms; files beside it by their names."""
    assert run(text) == [("a",)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "SET memory_limit = '1GB'; SELECT 1",
        "SET threads = 1",
        "CREATE TABLE t AS SELECT 1",
        "COPY (SELECT 1) TO 'o.csv'",
        "ATTACH 'o.duckdb'",
        "INSTALL httpfs",
        "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
        "LOAD httpfs",
        "EXPORT DATABASE 'o'",
        "PRAGMA database_list",
        "CALL enable_logging()",
        "EXPLAIN SELECT 1",
        "DESCRIBE SELECT 1",
        "SUMMARIZE 'x.csv'",
        "SHOW TABLES",
        "SELECT * FROM (DESCRIBE FROM 'x.csv')",
        "PIVOT 'x.csv' ON id",
        "UPDATE t SET a = 1",
        "WITH t AS (COPY (SELECT 1) TO 'o.csv') FROM t",
        "SELECT * FROM (WITH t AS (COPY (SELECT 1) TO 'o.csv') FROM t)",
        "WITH t AS (INSERT INTO warehouse.lists VALUES (1) RETURNING *) FROM t",
        "WITH t AS (DELETE FROM warehouse.lists RETURNING *) FROM t",
        "FROM enable_logging(storage = 'file')",
        "FROM query('SELECT 1')",
        "FROM query_table('x.csv')",
        "FROM duckdb_secrets()",
        "FROM duckdb_settings()",
        "FROM sniff_csv('x.csv')",
        "FROM parquet_metadata('x.csv')",
        "FROM read_duckdb('x.csv')",
        "FROM glob('*')",
        "FROM checkpoint()",
        "FROM pragma_user_agent()",
        "FROM arrow_scan(1, 2, 3)",
        "FROM pandas_scan(1)",
        "FROM python_map_function()",
        "FROM json_execute_serialized_sql('{}')",
        "FROM from_substrait('x'::BLOB)",
        "FROM read_csv('x' || '.csv')",
        "FROM read_csv(getvariable('x'))",
        "SELECT * FROM (SELECT 'x.csv' AS p) t, LATERAL (FROM read_text(t.p))",
        "SELECT (SELECT count(*) FROM glob('*'))",
        "FROM 'x.unknown'",
        "SELECT getenv('HOME')",
    ],
)
def test_all_else_is_refused_in_one_line(run: Any, folder: Path, text: str) -> None:
    """The statement, or the function, is named, with a remedy, and nothing came of it."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError) as caught:
        run(text)
    assert caught.value.message
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert [path for path in sorted(folder.rglob("*")) if path.name != "sends.sql"] == before


def test_a_very_long_query_is_refused(run: Any) -> None:
    """By its size, and by its depth, in one line."""
    with pytest.raises(UsageError, match="1 MB"):
        run("SELECT 1 -- " + "x" * (1 << 20))
    with pytest.raises(TracklySyncError):
        run("SELECT " + "(" * 5000 + "1" + ")" * 5000)
    with pytest.raises(TracklySyncError):
        run("SELECT " + "-".join(["1"] * 900) + "+ (" * 900 + "1" + ")" * 900)


def test_what_it_reads_is_known(folder: Path) -> None:
    """By names, patterns and lists; nothing where the query cannot be used."""
    path = folder / "sends.sql"
    path.write_text("FROM '**/*.csv' JOIN read_csv(['x.csv']) USING (id)", encoding="utf-8")
    assert files_of(path, follow_links=False) == (folder / "sub" / "y.csv", folder / "x.csv")
    path.write_text("SELEKT", encoding="utf-8")
    assert files_of(path, follow_links=False) == ()


def test_files_that_a_query_reads_are_no_history_of_their_own(folder: Path) -> None:
    """An export named like a dataset, in a format that is read or not, belongs to the query that reads it."""
    (folder / "sends-export.csv").write_text(EXPORT, encoding="utf-8")
    (folder / "sends-export.dat").write_text(EXPORT, encoding="utf-8")
    (folder / "sends-other.dat").write_text(EXPORT, encoding="utf-8")
    (folder / "sends.sql").write_text(
        "SELECT id FROM read_csv(['sends-export.csv', 'sends-export.dat'], all_varchar = true)",
        encoding="utf-8",
    )
    found = find_sources(load_settings(data_dir=folder.parent, history_dir=folder), ["sends"])
    assert [source.path.name for source in found.found["sends"]] == ["sends.sql"]
    assert [file.path.name for file in found.unread] == ["sends-other.dat"]


def test_a_stage_with_a_query_is_current_until_something_that_it_reads_changes(
    folder: Path, tmp_path: Path
) -> None:
    """The file itself, each that it reads, one more that matches its pattern, and the warehouse where it is used."""
    path, warehouse = folder / "sends.sql", tmp_path / "warehouse.duckdb"
    path.write_text(
        "SELECT id, '+15551234567' AS to_number, '2024-05-01' AS timestamp"
        " FROM read_csv('x*.csv', all_varchar = true) WHERE id NOT IN (SELECT id FROM warehouse.gone)",
        encoding="utf-8",
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE TABLE gone AS SELECT 'z' AS id")
    stage, sources = tmp_path / "stage.duckdb", [Source(path, "sends", "sql")]

    def take_in() -> int:
        with building(stage, PUSHED["sends"], sources, warehouse) as connection:
            return count(connection, "SELECT count(*) FROM input WHERE problem IS NULL")

    assert not is_current(stage, sources, warehouse)
    assert take_in() == 2
    assert is_current(stage, sources, warehouse)
    (folder / "unrelated.csv").write_text("not read by it", encoding="utf-8")
    assert is_current(stage, sources, warehouse)
    (folder / "x2.csv").write_text(EXPORT.replace("a,", "c,").replace("b,", "d,"), encoding="utf-8")
    assert not is_current(stage, sources, warehouse)
    assert take_in() == 4
    with (folder / "x.csv").open("a", encoding="utf-8") as file:
        file.write("e,07/01/2024,14\n")
    assert not is_current(stage, sources, warehouse)
    assert take_in() == 5
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("INSERT INTO gone VALUES ('a')")
    assert not is_current(stage, sources, warehouse)
    assert take_in() == 4
    (folder / "x2.csv").unlink()
    assert not is_current(stage, sources, warehouse)
    (folder / "x.csv").unlink()
    assert not is_current(stage, sources, warehouse), "a query that cannot run now is not current"
