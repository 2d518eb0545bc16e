"""That what a `.sql` file yields arrives exactly: types that were guessed are refused, others come as they are."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building
from schemas.registry import PUSHED

pytestmark = pytest.mark.usefixtures("forked")


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
    if "codes.csv" in text:
        # DuckDB looks at the first 20,480 rows, and takes a column with 007 among them for texts
        codes = [*(str(n) for n in range(10_000, 35_000)), "00007"]
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


def test_folders_named_like_a_column_are_not_taken_for_one(run: Any, folder: Path) -> None:
    """DuckDB would put `list_id` of the path over that of the row."""
    (folder / "list_id=101").mkdir()
    (folder / "list_id=101" / "a.csv").write_text("list_id\n100\n", encoding="utf-8")
    with pytest.raises(UsageError, match="hive_partitioning"):
        run("SELECT list_id FROM 'list_id=101/*.csv'")
    named = "read_csv('list_id=101/*.csv', all_varchar = true, hive_partitioning = false)"
    assert run(f"SELECT list_id FROM {named}") == [("100",)]


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
