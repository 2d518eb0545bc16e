"""Databases are opened one after the other in instances that stay; none shows what was done in the one before."""

import os
from pathlib import Path

import duckdb
import pytest
from forked import Forked

from pipelines.databases.duckdb_instances import attached, beside


def setting(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    ((value,),) = connection.execute("SELECT current_setting($1)", [name]).fetchall()
    return str(value)


def is_open(path: Path) -> bool:
    """Whether this process holds the file."""
    found = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return path in found


def test_a_block_has_what_it_asks_for_and_leaves_nothing(tmp_path: Path) -> None:
    """Tables are in the file alone; settings, temporary tables, macros and variables end with the block."""
    path = tmp_path / "one.duckdb"
    with attached(path, "one", config={"memory_limit": "100MB", "threads": 1}) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
        connection.execute("CREATE TEMP TABLE gone AS SELECT 1 AS a")
        connection.execute("CREATE TEMP MACRO gone(x) AS x")
        connection.execute("SET VARIABLE gone = 1")
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute("SET memory_limit = '90MB'")
        assert setting(connection, "threads") == "1"
        assert is_open(path)
    assert not is_open(path)
    assert not path.with_name("one.duckdb.wal").exists()
    with attached(None, "other", config={"preserve_insertion_order": False}) as connection:
        tables = "SELECT database_name || '.' || table_name FROM duckdb_tables()"
        assert connection.execute(tables).fetchall() == []
        assert connection.execute("SELECT getvariable('gone')").fetchall() == [(None,)]
        assert setting(connection, "TimeZone") != "Asia/Tokyo"
        assert setting(connection, "memory_limit") not in ("95.3 MiB", "85.8 MiB")
        assert setting(connection, "preserve_insertion_order") == "False"
        with pytest.raises(duckdb.CatalogException):
            connection.execute("SELECT gone(1)")
        connection.execute("CREATE TABLE here AS SELECT 1 AS a")
    with attached(None, "other") as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == []
        assert setting(connection, "preserve_insertion_order") == "True"
    with attached(path, "one", " (READ_ONLY)") as connection:
        assert connection.execute("FROM kept").fetchall() == [(1,)]
        with pytest.raises(duckdb.InvalidInputException):
            connection.execute("INSERT INTO kept VALUES (2)")


def test_blocks_in_blocks_are_apart(tmp_path: Path) -> None:
    """Each has its own settings; a file that is replaced meanwhile shows its new rows to the later block only."""
    path = tmp_path / "w.duckdb"
    for number in (1, 2):
        with attached(path.with_name(f"{number}"), "w") as connection:
            connection.execute(f"CREATE TABLE rows AS SELECT {number} AS a")
    path.with_name("1").rename(path)
    with attached(path, "w", " (READ_ONLY)", {"threads": 1}) as before:
        path.with_name("2").replace(path)
        with attached(path, "w", " (READ_ONLY)", {"threads": 2}) as after:
            assert after.execute("FROM rows").fetchall() == [(2,)]
            assert setting(before, "threads") == "1"
        assert before.execute("FROM rows").fetchall() == [(1,)]


def test_a_block_that_fails_lets_go_of_its_file(tmp_path: Path) -> None:
    """Also within a transaction, which is undone."""
    path = tmp_path / "a.duckdb"
    with attached(path, "a") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    with pytest.raises(duckdb.CatalogException), attached(path, "a") as connection:
        connection.execute("BEGIN; INSERT INTO kept VALUES (2); SELECT * FROM missing")
    assert not is_open(path)
    with attached(path, "a") as connection:
        assert connection.execute("FROM kept").fetchall() == [(1,)]


def test_what_is_spilled_goes_where_the_block_says(tmp_path: Path) -> None:
    """And the next block spills into a folder of its own."""
    for name in ("first", "second"):
        spill = tmp_path / name
        config = {"memory_limit": "40MB", "temp_directory": str(spill), "threads": 1}
        with attached(None, "a", config={**config}) as connection:
            connection.execute(
                "CREATE TABLE rows AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(900_000)"
            )
            assert any(spill.iterdir())
        assert not spill.exists()


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    """DuckDB's own, and the next block works."""
    path = tmp_path / "a.duckdb"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(duckdb.Error), attached(path, "a"):
        pass
    with attached(None, "a") as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_what_a_block_attaches_is_closed_with_it(tmp_path: Path) -> None:
    """Also where the block beside it fails: the next one may attach another file by the same name."""
    path = tmp_path / "beside.duckdb"
    with attached(None, "a") as connection:
        with beside(connection, path, "beside", ""):
            connection.execute("CREATE TABLE beside.kept AS SELECT 1 AS a")
        with pytest.raises(duckdb.CatalogException), beside(connection, path, "beside"):
            connection.execute("FROM beside.missing")
        assert not is_open(path)
        with beside(connection, path, "beside"):
            assert connection.execute("FROM beside.kept").fetchall() == [(1,)]


def test_no_other_module_attaches_files() -> None:
    """What `beside` attaches is detached, so that an instance that waits holds no file."""
    root = Path(__file__).parents[2]
    files = (path for room in ("pipelines", "assets") for path in (root / room).rglob("*.py"))
    found = {path.name for path in files if "ATTACH " in path.read_text(encoding="utf-8")}
    assert found == {"duckdb_instances.py", "query_process.py"}


FORKS = """
import os
from pipelines.databases import duckdb_instances

with duckdb_instances.attached(None, "rows") as connection:
    connection.execute("SELECT count(*) FROM range(1000000)").fetchall()
assert duckdb_instances._idle().qsize() == 1
child = os.fork()
assert duckdb_instances._idle().qsize() == 0
os._exit(os.waitpid(child, 0)[1] if child else 0)
"""


def test_a_fork_takes_no_instance_of_its_parent(tmp_path: Path) -> None:
    """One that waits for its next block has threads, which a fork does not take along: it would wait for ever."""
    with Forked(exec, (FORKS, {}), os.environ, tmp_path) as forks:
        assert forks.wait(timeout=120) == 0, forks.stderr.read_text()
