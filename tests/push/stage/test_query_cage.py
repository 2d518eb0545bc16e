"""What a `.sql` file may reach.

Every attack is tried twice: as it comes, which the check of the statement stops, and in the process itself, which
must hold alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from histories import EXPORT

from pipelines.errors import StorageError, UsageError
from pipelines.push.files.query_statement import parse
from pipelines.push.stage import query_cage, query_process
from pipelines.push.stage.query_cage import Bounds, environment, run_query

OUTSIDE = [
    "FROM read_text('/proc/self/environ')",
    "FROM read_blob('/proc/self/environ')",
    "FROM read_blob('../outside/z.csv')",
    "FROM '../outside/z.csv'",
    "FROM 'sub/../../outside/z.csv'",
    "FROM '{outside}/z.csv'",
    "FROM '{outside}/*.csv'",
    "FROM read_csv('{outside}/z.csv', all_varchar = true)",
    "FROM read_text('file://{outside}/z.csv')",
    "FROM read_text('file:{outside}/z.csv')",
    "FROM read_text('~/.bashrc')",
    "FROM read_text('/dev/zero')",
    "FROM 'http://127.0.0.1:9/x.csv'",
    "FROM 's3://bucket/x.csv'",
    "FROM 'link.csv'",
    "FROM 'linked/z.csv'",
    "FROM read_csv('linked/*.csv', all_varchar = true)",
    "FROM read_csv(['x.csv', 'link.csv'], all_varchar = true)",
    "FROM read_text('link.*')",
    "FROM read_text('../history/../outside/z.csv')",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_nothing_outside_its_folder_is_read(run: Any, folder: Path, tmp_path: Path, text: str) -> None:
    """By no path, pattern, link, scheme or trick."""
    (folder / "link.csv").symlink_to(tmp_path / "outside" / "z.csv")
    (folder / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError) as caught:
        run(text.format(outside=tmp_path / "outside"))
    assert caught.value.remedy
    assert "05/01/2024" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["FROM read_text('.env')", "FROM read_text('*')", "FROM read_text('.*')", "FROM read_text('./.env')"],
)
def test_hidden_files_of_its_folder_are_not_read(run: Any, text: str) -> None:
    """A query that lies in the working folder does not get at the key in .env, whatever its columns are."""
    with pytest.raises(UsageError, match=r"\.env.* is hidden"):
        run(f"SELECT content AS id, '2024-05-01' AS timestamp {text}")


def test_pipes_are_not_opened(run: Any, folder: Path) -> None:
    """Neither what it reads nor the file itself."""
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(UsageError, match="pipe"):
        run("FROM 'pipe.csv'")
    os.mkfifo(folder / "clicks.sql")
    with pytest.raises(UsageError, match="is not a file"):
        parse(folder / "clicks.sql")


@pytest.mark.usefixtures("forked")
def test_links_are_followed_where_that_is_set(run: Any, folder: Path, tmp_path: Path) -> None:
    """With TRACKLY_FOLLOW_LINKS a query reads a linked file like any other."""
    (folder / "link.csv").symlink_to(tmp_path / "outside" / "z.csv")
    text = "SELECT min(id) FROM read_csv('link.csv', all_varchar = true)"
    assert run(text, follow_links=True) == [("a",)]


OF_THE_PROCESS = ("environment", "environment of the caller")
"""Probes of what the process was started with; the others are of what DuckDB may do in it."""

PROBES = {
    "COPY": "COPY (SELECT 1 AS a) TO '{outside}/o.csv'",
    "COPY of a WITH": "WITH t AS (COPY (SELECT 1 AS a) TO '{outside}/o.csv') FROM t",
    "environment": "SELECT content FROM read_text('/proc/self/environ')",
    "environment of the caller": "SELECT content FROM read_text('/proc/{pid}/environ')",
    "another file": "SELECT content FROM read_text('{outside}/z.csv')",
    "link": "SELECT content FROM read_text('link.csv')",
    "logging": "FROM enable_logging(storage = 'file', storage_path = '{outside}/o')",
    "export": "EXPORT DATABASE '{outside}/o'",
    "install": "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "attach": "ATTACH '{outside}/o.duckdb'",
    "setting": "SET enable_external_access = true",
    "variable of the program": "FROM task",
}


@pytest.mark.parametrize("probe", PROBES)
def test_the_process_holds_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, probe: str
) -> None:
    """Were the check of the statement to overlook something, the process would still not do it."""
    if probe not in OF_THE_PROCESS:
        request.getfixturevalue("forked")
    monkeypatch.setenv("TRACKLY_API_KEY", "trk_" + "0" * 32)
    outside = tmp_path / "outside"
    (folder / "link.csv").symlink_to(outside / "z.csv")
    before = sorted(tmp_path.rglob("*"))
    path = folder / "sends.sql"
    path.write_text("SELECT 1 AS a", encoding="utf-8")
    query = parse(path)
    text = PROBES[probe].format(outside=outside, pid=os.getpid())
    task = query_cage.task_of(
        type(query)(**{**_fields(query), "text": text}), (), (), None, tmp_path / "rows.parquet"
    )
    answer = query_cage.answer_of(path, task, 60)
    assert answer.get("error"), probe
    assert "trk_" not in json.dumps(answer)
    left = {path for path in tmp_path.rglob("*") if path.name not in ("sends.sql", "rows.parquet")}
    assert left == set(before)


def _fields(query: Any) -> dict[str, Any]:
    return {name: getattr(query, name) for name in query.__dataclass_fields__}


def test_the_process_has_an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing in it that could be found, by whatever way."""
    monkeypatch.setenv("TRACKLY_API_KEY", "trk_" + "0" * 32)
    assert set(environment()) <= {"LD_LIBRARY_PATH", "SYSTEMROOT"}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
def test_time_is_bounded_and_nothing_is_left_running(run: Any, tmp_path: Path) -> None:
    """A query without end is ended with its process, and the setting is named."""
    with pytest.raises(UsageError, match=r"longer than 0\.5 seconds.*TRACKLY_SQL_SECONDS"):
        run("SELECT count(*) AS id FROM range(10000000000) a, range(10000000000) b", seconds=0.5)
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT list(n) AS id FROM range(1000000000) t(n)",
        "SELECT repeat('x', 100000000000) AS id",
        "SELECT string_agg(repeat('x', 1000000), '') AS id FROM range(100000)",
    ],
)
def test_memory_is_bounded(run: Any, text: str) -> None:
    """What takes more memory than a query may have is refused; this process does not grow with it."""
    with pytest.raises(UsageError):
        run(text)


def task_for(folder: Path, statement: str, **changes: Any) -> tuple[Path, dict[str, Any]]:
    """A query, and what its process is given."""
    path = folder / "sends.sql"
    path.write_text(statement, encoding="utf-8")
    files = sorted(folder.glob("*.csv"))
    return path, {**query_cage.task_of(parse(path), ("id",), files, None, folder / "o.parquet"), **changes}


@pytest.mark.parametrize(
    ("megabytes", "kinds"), [(100, ("memory", "ended")), (400, ("OutOfMemoryException",))]
)
def test_a_process_that_cannot_have_its_memory_is_an_answer(
    folder: Path, megabytes: int, kinds: tuple[str, ...]
) -> None:
    """It dies while it begins, or is refused what it asks for."""
    statement = "SELECT list(n) AS id FROM range(1000000000) t(n)"
    path, task = task_for(folder, statement, address_space=megabytes << 20)
    assert query_cage.answer_of(path, task, 60)["error"] in kinds


def test_a_process_that_ends_before_it_has_its_task(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, task = task_for(folder, "SELECT 1 AS id", text="x" * 1_000_000)  # more than a pipe holds
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert query_cage.answer_of(path, task, 60) == {"error": "ended", "text": "1"}


def test_the_process_ends_with_its_caller(folder: Path) -> None:
    """A push that is killed leaves no query that goes on for minutes: its end closes the pipe."""
    path, task = task_for(folder, "SELECT count(*) AS id FROM range(10000000000) a, range(10000000000) b")
    command = [sys.executable, "-I", query_process.__file__, str(Path(duckdb.__file__).parent.parent)]
    given = json.dumps(task).encode() + b"\n"
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, cwd=path.parent, env=query_cage.environment()
    ) as process:
        process.communicate(given, timeout=60)
    assert process.returncode == 1


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("textual", ["read_csv('y.csv', header = false)", "read_csv('none.csv')"])
def test_what_cannot_be_compared_with_its_texts_is_not_certain(folder: Path, textual: str) -> None:
    """Read as texts it has other columns, or cannot be read: then the guessed types are refused."""
    (folder / "y.csv").write_text("id,n\na,1\n")
    path, task = task_for(folder, "SELECT id FROM read_csv('y.csv') WHERE n = 1")
    (scan,) = task["scans"]
    answer = query_cage.answer_of(path, {**task, "scans": [{**scan, "textual": textual}]}, 60)
    assert answer == {"error": "guessed csv", "text": "`n`"}


@pytest.mark.usefixtures("forked")
def test_a_column_that_comes_twice_is_named(run: Any) -> None:
    with pytest.raises(UsageError, match=r"yields `ID` more than once\. Leave one of them out"):
        run("SELECT 1 AS id, 2 AS ID")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "IOException", "text": "No space left on device"}, StorageError, "Make room on the disk"),
        ({"error": "PermissionException", "text": "no"}, UsageError, "reads more than it may: no."),
        ({"error": "ended", "text": ""}, UsageError, "cannot be run to its end (ended). Run it in DuckDB"),
        ({"error": "memory", "text": "-9"}, UsageError, "needs more memory or disk than a query may take"),
    ],
)
def test_each_answer_is_an_error_with_its_remedy(
    run: Any, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], kind: type[Exception], words: str
) -> None:
    monkeypatch.setattr(query_cage, "answer_of", lambda *_: answer)
    with pytest.raises(kind) as caught:
        run("SELECT 1 AS id")
    assert words in str(caught.value)


@pytest.mark.usefixtures("forked")
def test_the_warehouse_is_read_only_and_by_its_name(run: Any, tmp_path: Path) -> None:
    """It is attached as `warehouse`; its file cannot be read by its path."""
    with pytest.raises(UsageError, match="trackly-sync pull"):
        run("SELECT id FROM warehouse.lists")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE lists AS SELECT 7 AS id")
    assert run("SELECT id FROM warehouse.lists") == [("7",)]
    with pytest.raises(UsageError):
        run(f"SELECT size AS id FROM read_blob('{tmp_path}/warehouse.duckdb')")


def test_a_folder_with_special_characters_is_no_pattern(tmp_path: Path) -> None:
    """A folder named `a[b]*` is itself, for patterns too."""
    folder = tmp_path / "a[b]* 'q' ü"
    folder.mkdir()
    (folder / "x.csv").write_text(EXPORT, encoding="utf-8")
    path = folder / "sends.sql"
    path.write_text("SELECT id FROM read_csv('x*.csv', all_varchar = true)", encoding="utf-8")
    assert run_query(path, [], tmp_path / "none", tmp_path / "o.parquet", Bounds(60)) == (folder / "x.csv",)
    assert duckdb.read_parquet(str(tmp_path / "o.parquet")).fetchall() == [("a",), ("b",)]
