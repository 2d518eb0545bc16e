"""Replacing the warehouse: whole or not at all, under the eyes of readers."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from pipelines.errors import BusyError, StorageError
from pipelines.warehouse.swap import _writer_lock, reading, replacing
from schemas.marts.registry import MARTS


def numbers(path: Path) -> list[int]:
    with reading(path) as connection:
        return [row[0] for row in connection.execute("SELECT n FROM t").fetchall()]


def fill(path: Path, number: int) -> None:
    with replacing(path) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE t AS SELECT {number} AS n FROM range(1000)")


def test_a_replacement_keeps_what_it_does_not_touch(tmp_path: Path) -> None:
    """A writer finds the present tables in its copy."""
    path = tmp_path / "warehouse.duckdb"
    fill(path, 1)
    with replacing(path) as connection:
        connection.execute("CREATE TABLE other AS SELECT 1 AS x")
    assert numbers(path) == [1] * 1000


def test_a_writer_that_does_not_end_is_waited_for_aloud_and_not_without_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A push that was stopped publishes before it ends: who stopped it is told what it waits for."""
    path = tmp_path / "warehouse.duckdb"
    with (
        FileLock(tmp_path / ".warehouse.duckdb.lock"),
        pytest.raises(BusyError, match=r"has been writing .* for 0 seconds"),
        _writer_lock(path, seconds=0.01),
    ):
        pass
    assert caplog.messages == [f"Another process is writing {path}: waiting up to 0 seconds for it."]


def test_a_failed_replacement_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    """When the block raises, the warehouse is as it was and no half file stays."""
    path = tmp_path / "warehouse.duckdb"
    fill(path, 1)
    before = path.read_bytes()
    with pytest.raises(duckdb.Error, match="nothing"), replacing(path) as connection:
        connection.execute("DROP TABLE t; SELECT * FROM nothing")
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {".warehouse.duckdb.lock", "warehouse.duckdb"}


def test_a_killed_writer_leaves_the_old_warehouse_and_the_next_writer_cleans_up(tmp_path: Path) -> None:
    """SIGKILL in the middle of a replacement costs nothing but that replacement."""
    path = tmp_path / "warehouse.duckdb"
    fill(path, 1)
    script = """
        import os, signal, sys
        from pathlib import Path
        from pipelines.warehouse.swap import replacing
        with replacing(Path(sys.argv[1])) as connection:
            connection.execute("DROP TABLE t")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    assert killed.returncode == -9
    assert numbers(path) == [1] * 1000
    fill(path, 2)
    assert numbers(path) == [2] * 1000
    assert {file.name for file in tmp_path.iterdir()} == {".warehouse.duckdb.lock", "warehouse.duckdb"}


def test_readers_in_another_process_never_fail_and_never_see_half(tmp_path: Path) -> None:
    """A process that opens the warehouse in a loop sees one whole version each time, and all of them open."""
    path = tmp_path / "warehouse.duckdb"
    fill(path, 0)
    script = """
        import sys, duckdb
        seen = set()
        while max(seen, default=0) < 15:
            with duckdb.connect(sys.argv[1], read_only=True) as connection:
                values = connection.execute("SELECT n, count(*) FROM t GROUP BY n").fetchall()
            assert len(values) == 1 and values[0][1] == 1000, values
            seen.add(values[0][0])
    """
    reader = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(path)])
    for number in range(1, 16):
        fill(path, number)
    assert reader.wait(60) == 0


def test_an_open_reader_keeps_the_old_warehouse_whole(tmp_path: Path) -> None:
    """A process that has the warehouse open goes on with what it opened."""
    path = tmp_path / "warehouse.duckdb"
    fill(path, 1)
    script = """
        import sys, duckdb
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            print("open", flush=True)
            sys.stdin.readline()
            print(connection.execute("SELECT DISTINCT n FROM t").fetchall())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        fill(path, 2)
        assert reader.communicate("\n")[0] == "[(1,)]\n"
    assert numbers(path) == [2] * 1000


def test_writers_take_turns(tmp_path: Path) -> None:
    """Two writers at once both get their changes in."""
    path = tmp_path / "warehouse.duckdb"

    def write(name: str) -> None:
        with replacing(path) as connection:
            connection.execute(f"CREATE TABLE {name} AS SELECT 1 AS x")

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with duckdb.connect(str(path), read_only=True) as connection:
        made = "SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('t0', 't1', 't2', 't3')"
        assert connection.execute(made).fetchall() == [(4,)]


def test_a_new_warehouse_has_every_table_and_mart(tmp_path: Path) -> None:
    """Before anything is in it, and however many begin in one process."""
    for name in ("one", "two"):
        with replacing(tmp_path / name / "warehouse.duckdb") as connection:
            views = connection.execute("SELECT view_name FROM duckdb_views() WHERE schema_name = 'marts'")
            assert {str(view) for (view,) in views.fetchall()} == set(MARTS)
            assert connection.execute("SELECT count(*) FROM contacts").fetchall() == [(0,)]
            connection.execute("CREATE TABLE of_its_own AS SELECT 1 AS x")


def test_a_file_that_is_no_warehouse_is_named(tmp_path: Path) -> None:
    """A damaged file gives an error that says what to do, and is not overwritten."""
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="cannot be opened as a DuckDB file"), replacing(path):
        pass
    assert path.read_bytes() == b"not a database" * 100


def test_reading_before_the_first_pull_says_what_to_run(tmp_path: Path) -> None:
    """Without a warehouse the error names the command that makes one."""
    with pytest.raises(StorageError, match="trackly-sync pull"), reading(tmp_path / "warehouse.duckdb"):
        pass
