"""`.sql` files: what they may be, what they may reach, and that what they yield arrives exactly.

Every attack is tried twice: as it comes, which the check of the statement stops, and in the process itself, which
must hold alone.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import TracklySyncError, UsageError
from pipelines.push.files.find import Source, find_sources
from pipelines.push.files.query_inputs import files_of
from pipelines.push.files.query_statement import parse
from pipelines.push.stage import query_cage
from pipelines.push.stage.database import building, count, is_current
from pipelines.push.stage.query_cage import Bounds, run_query
from pipelines.settings import load_settings
from schemas.registry import PUSHED

EXPORT = "id,sent,n\na,05/01/2024,12\nb,06/01/2024,13\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history folder with an export in it, and things beside it that are none of a query's business."""
    folder = tmp_path / "history"
    (folder / "sub").mkdir(parents=True)
    (folder / "x.csv").write_text(EXPORT, encoding="utf-8")
    (folder / "sub" / "y.csv").write_text(EXPORT, encoding="utf-8")
    (folder / ".env").write_text("TRACKLY_API_KEY=trk_secret\n", encoding="utf-8")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "z.csv").write_text(EXPORT, encoding="utf-8")
    return folder


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Any:
    """Run a query; its rows."""

    def run(text: str, **bounds: Any) -> list[tuple[Any, ...]]:
        path = folder / "sends.sql"
        path.write_text(text, encoding="utf-8")
        output = tmp_path / "rows.parquet"
        warehouse = tmp_path / "warehouse.duckdb"
        run_query(path, ["id", "timestamp"], warehouse, output, Bounds(**{"seconds": 60, **bounds}))
        return duckdb.read_parquet(str(output)).fetchall()

    return run


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
    """A query that lies in the working folder does not get at the key in .env."""
    with pytest.raises(UsageError):
        run(text)


def test_pipes_are_not_opened(run: Any, folder: Path) -> None:
    """Neither what it reads nor the file itself."""
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(UsageError, match="pipe"):
        run("FROM 'pipe.csv'")
    os.mkfifo(folder / "clicks.sql")
    with pytest.raises(UsageError, match="is not a file"):
        parse(folder / "clicks.sql")


def test_links_are_followed_where_that_is_set(run: Any, folder: Path, tmp_path: Path) -> None:
    """With TRACKLY_FOLLOW_LINKS a query reads a linked file like any other."""
    (folder / "link.csv").symlink_to(tmp_path / "outside" / "z.csv")
    text = "SELECT min(id) FROM read_csv('link.csv', all_varchar = true)"
    assert run(text, follow_links=True) == [("a",)]


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
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: str
) -> None:
    """Were the check of the statement to overlook something, the process would still not do it."""
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
    assert set(query_cage.environment()) <= {"LD_LIBRARY_PATH", "SYSTEMROOT"}


def test_time_is_bounded(run: Any) -> None:
    """A query without end is ended, and the setting is named."""
    with pytest.raises(UsageError, match=r"longer than 1 seconds.*TRACKLY_SQL_SECONDS"):
        run("SELECT count(*) AS id FROM range(10000000000) a, range(10000000000) b", seconds=1)


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


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
def test_nothing_is_left_running(run: Any, tmp_path: Path) -> None:
    """The process ends with its query, and with its time."""
    with pytest.raises(UsageError):
        run("SELECT count(*) AS id FROM range(10000000000) a, range(10000000000) b", seconds=1)
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [command for command in commands if str(tmp_path).encode() in command]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("FROM 'x.csv'", "column 2"),
        ("SELECT sent AS timestamp FROM 'times.csv'", "`sent`"),
        ("SELECT CAST(sent AS VARCHAR) AS timestamp FROM 'times.csv'", "`sent`"),
        ("SELECT strftime(t.sent, '%Y') AS timestamp FROM 'times.csv' t", "`sent`"),
        ("SELECT t AS timestamp FROM 'times.csv' t", "column 1"),
        ("SELECT sent AS timestamp FROM read_csv('times.csv')", "`sent`"),
        ("SELECT sent AS timestamp FROM read_csv('times.csv', types = {'id': 'VARCHAR'})", "`sent`"),
        ("SELECT code AS id FROM 'codes.csv'", "`code`"),
        ("SELECT CAST(code AS VARCHAR) AS id FROM 'codes.csv'", "`code`"),
        ("SELECT flag AS id FROM 'big.csv'", "`flag`"),
        ("SELECT e AS id FROM 'big.csv'", "`e`"),
        ("SELECT x.e AS id FROM 'big.csv' x", "`e`"),
        ("SELECT n FROM (SELECT code AS n FROM 'codes.csv')", "`code`"),
        ("WITH t AS (SELECT * FROM 'x.csv') SELECT n AS id FROM t", "column 2"),
    ],
)
def test_types_that_were_guessed_from_text_are_refused(
    run: Any, folder: Path, text: str, columns: str
) -> None:
    """Where a guess could change a value, and it may be used, the query is refused with the way to say it."""
    (folder / "times.csv").write_text("sent,id\n2024-05-01 10:00:00,a\n", encoding="utf-8")
    (folder / "big.csv").write_text("flag,e\nyes,1.23457E+14\n", encoding="utf-8")
    # DuckDB looks at the first 20,480 rows, and takes a column with 007 among them for texts
    codes = [*(str(n) for n in range(10_000, 60_000)), "00007"]
    (folder / "codes.csv").write_text("code\n" + "\n".join(codes) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"({columns}).*all_varchar = true"):
        run(text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT n AS id FROM 'x.csv' ORDER BY n", [("12",), ("13",)]),
        ("SELECT id FROM 'x.csv' ORDER BY id", [("a",), ("b",)]),
        ("SELECT sent FROM read_csv('t.csv', types = {'sent': 'TIMESTAMP'})", [("2024-05-01 10:00:00",)]),
        ("SELECT sent FROM read_csv('t.csv', columns = {'sent': 'TIMESTAMP'})", [("2024-05-01 10:00:00",)]),
        (
            "SELECT sent FROM read_csv('t.csv', timestampformat = '%Y-%m-%d %H:%M:%S')",
            [("2024-05-01 10:00:00",)],
        ),
        (
            "SELECT sent::TIMESTAMP AS t FROM read_csv('t.csv', all_varchar = true)",
            [("2024-05-01 10:00:00",)],
        ),
        ("SELECT sent FROM 't.parquet'", [("2024-05-01 10:00:00",)]),
        ("SELECT amount FROM 'a.csv'", [(24.9,), (0.5,)]),
    ],
)
def test_types_that_are_declared_or_certain_are_not(
    run: Any, folder: Path, text: str, rows: list[tuple[Any, ...]]
) -> None:
    """Types that the query states, those of Parquet, and guesses that change no value."""
    (folder / "t.csv").write_text("sent\n2024-05-01 10:00:00\n", encoding="utf-8")
    (folder / "a.csv").write_text("amount\n24.90\n0.5\n", encoding="utf-8")
    duckdb.sql("SELECT TIMESTAMP '2024-05-01 10:00:00' AS sent").write_parquet(str(folder / "t.parquet"))
    assert run(text) == rows


def test_texts_in_json_that_were_guessed_to_be_times_are_refused(run: Any, folder: Path) -> None:
    """DuckDB reads "2024-05-01" in JSON as a date; the columns are to be declared."""
    (folder / "a.json").write_text('{"id": "a", "sent": "2024-05-01 10:00:00", "n": 7}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"`sent`.*columns = "):
        run("SELECT sent AS timestamp FROM 'a.json'")
    assert run("SELECT id, n FROM 'a.json'") == [("a", "7")]
    declared = "read_json('a.json', columns = {'sent': 'VARCHAR'})"
    assert run(f"SELECT sent FROM {declared}") == [("2024-05-01 10:00:00",)]


def test_a_file_without_a_header_is_not_quoted(run: Any, folder: Path) -> None:
    """The names of its columns are then somebody's data."""
    (folder / "p.csv").write_text("m1,Ada Lovelace,+15551234567\nm2,Bob,+15557654321\n", encoding="utf-8")
    for text in ("SELECT id FROM 'p.csv'", "SELECT id FROM read_csv('p.csv', all_varchar = true)"):
        with pytest.raises(UsageError) as caught:
            run(text)
        assert "Ada" not in str(caught.value)
        assert "555" not in str(caught.value)
    run("FROM 'p.csv'")
    assert duckdb.read_parquet(str(folder.parent / "rows.parquet")).columns == [
        "column 1",
        "column 2",
        "column 3",
    ]


def test_an_error_quotes_no_value(run: Any) -> None:
    """A value that cannot be converted is named by neither its text nor its line."""
    with pytest.raises(UsageError, match="TRY_CAST") as caught:
        run("SELECT CAST(sent AS INTEGER) AS id FROM read_csv('x.csv', all_varchar = true)")
    assert "05/01" not in str(caught.value)


def test_values_come_out_exactly(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decimals, whole numbers of any size and times are what the query made them, in any time zone of the machine."""
    monkeypatch.setenv("TZ", "America/New_York")
    rows = run(
        "SELECT 1.10::DECIMAL(18,4) AS a, 170141183460469231731687303715884105727::HUGEINT AS b,"
        " TIMESTAMP '2024-05-01 10:00:00' AS c, TIMESTAMPTZ '2024-05-01 10:00:00+02' AS d,"
        " 0.1::DOUBLE AS e, true AS f, DATE '2024-05-01' AS g, TIMESTAMP_NS '2024-05-01 10:00:00.123456789' AS h,"
        " sum(1) AS i, NULL AS j, '007' AS k, ['a'] AS l, {'a': 1} AS m"
    )
    assert rows == [
        (
            "1.1000",
            "170141183460469231731687303715884105727",
            "2024-05-01 10:00:00",
            "2024-05-01 08:00:00+00",
            0.1,
            "true",
            "2024-05-01",
            "2024-05-01 10:00:00.123456789",
            "1",
            None,
            "007",
            ["a"],
            {"a": 1},
        )
    ]


@pytest.mark.parametrize("column", ["'{\"a\": 1}'::JSON", "json('\"Hi\"')", "'\"Hi\"'::JSON->'$'"])
def test_json_is_no_text(run: Any, column: str) -> None:
    """A JSON text has quotes round it, which nobody wants in a message."""
    with pytest.raises(UsageError, match="->>"):
        run(f"SELECT {column} AS message")


def test_the_order_of_rows_is_kept(run: Any) -> None:
    """Rows are numbered as the query yields them."""
    rows = run("SELECT n AS id FROM range(300000) t(n) ORDER BY n DESC")
    assert [int(row[0]) for row in rows] == list(range(299999, -1, -1))


def test_the_warehouse_is_read_only_and_by_its_name(run: Any, tmp_path: Path) -> None:
    """It is attached as `warehouse`; its file cannot be read by its path."""
    with pytest.raises(UsageError, match="trackly-sync pull"):
        run("SELECT id FROM warehouse.lists")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE lists AS SELECT 7 AS id")
    assert run("SELECT id FROM warehouse.lists") == [("7",)]
    with pytest.raises(UsageError):
        run(f"SELECT size AS id FROM read_blob('{tmp_path}/warehouse.duckdb')")


def test_folders_named_like_a_column_are_not_taken_for_one(run: Any, folder: Path) -> None:
    """DuckDB would put `list_id` of the path over that of the row."""
    (folder / "list_id=101").mkdir()
    (folder / "list_id=101" / "a.csv").write_text("list_id\n100\n", encoding="utf-8")
    with pytest.raises(UsageError, match="hive_partitioning"):
        run("SELECT list_id FROM 'list_id=101/*.csv'")
    named = "read_csv('list_id=101/*.csv', all_varchar = true, hive_partitioning = false)"
    assert run(f"SELECT list_id FROM {named}") == [("100",)]


def test_what_it_reads_is_known(folder: Path) -> None:
    """By names, patterns and lists; nothing where the query cannot be used."""
    path = folder / "sends.sql"
    path.write_text("FROM '**/*.csv' JOIN read_csv(['x.csv']) USING (id)", encoding="utf-8")
    assert files_of(path, follow_links=False) == (folder / "sub" / "y.csv", folder / "x.csv")
    path.write_text("SELEKT", encoding="utf-8")
    assert files_of(path, follow_links=False) == ()


def test_a_folder_with_special_characters_is_no_pattern(tmp_path: Path) -> None:
    """A folder named `a[b]*` is itself, for patterns too."""
    folder = tmp_path / "a[b]* 'q' ü"
    folder.mkdir()
    (folder / "x.csv").write_text(EXPORT, encoding="utf-8")
    path = folder / "sends.sql"
    path.write_text("SELECT id FROM read_csv('x*.csv', all_varchar = true)", encoding="utf-8")
    assert run_query(path, [], tmp_path / "none", tmp_path / "o.parquet", Bounds(60)) == (folder / "x.csv",)
    assert duckdb.read_parquet(str(tmp_path / "o.parquet")).fetchall() == [("a",), ("b",)]


def test_a_very_long_query_is_refused(run: Any) -> None:
    """By its size, and by its depth, in one line."""
    with pytest.raises(UsageError, match="1 MB"):
        run("SELECT 1 -- " + "x" * (1 << 20))
    with pytest.raises(TracklySyncError):
        run("SELECT " + "(" * 5000 + "1" + ")" * 5000)
    with pytest.raises(TracklySyncError):
        run("SELECT " + "-".join(["1"] * 900) + "+ (" * 900 + "1" + ")" * 900)


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


def test_typed_values_become_the_fields_that_they_are(folder: Path, tmp_path: Path) -> None:
    """Times of any type in UTC, amounts without loss, flags; what has lost digits, or is nested, is left out."""
    path = folder / "revenue.sql"
    rows = [
        "('r1', TIMESTAMP '2024-05-01 10:00:00'::VARCHAR, 24.9::DOUBLE)",
        "('r2', TIMESTAMPTZ '2024-05-01 10:00:00+02'::VARCHAR, 0.1::DOUBLE + 0.2::DOUBLE)",
        "('r3', DATE '2024-05-01'::VARCHAR, 1e-7::DOUBLE)",
    ]
    path.write_text(
        "SELECT r AS record_id, t AS timestamp, v AS revenue, 'm' AS message_id, 'sale' AS attribution_type,"
        f" '{'0' * 24}' AS offer_id FROM (VALUES {', '.join(rows)}) x(r, t, v)",
        encoding="utf-8",
    )
    with building(
        tmp_path / "stage.duckdb", PUSHED["revenue"], [Source(path, "revenue", "sql")], tmp_path / "none"
    ) as connection:
        found = connection.execute(
            "SELECT record_id, timestamp::VARCHAR, revenue::VARCHAR, problem IS NULL FROM input ORDER BY seq"
        ).fetchall()
    assert found[:2] == [
        ("r1", "2024-05-01 10:00:00+00", "24.9000", True),
        ("r2", "2024-05-01 08:00:00+00", "0.3000", True),
    ]
    assert found[2][3] is False
