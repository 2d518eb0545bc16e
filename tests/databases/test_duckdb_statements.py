"""A text that was parsed before means what it would mean if it were parsed again."""

import duckdb
import pytest

from pipelines.databases.duckdb_instances import attached
from pipelines.databases.duckdb_statements import noting_settings


def test_one_text_asks_each_database_for_its_own_rows() -> None:
    """Tables of one name and other columns, parameters, rows that come or go in between, relations, and errors."""
    with attached(None, "one") as one, attached(None, "other") as other:
        one.execute("CREATE TABLE t AS SELECT 1 AS a")
        other.execute("CREATE TABLE t AS SELECT 'x' AS b, 2 AS a; INSERT INTO t VALUES ('y', 3)")
        for _ in range(2):
            assert one.execute("FROM t").fetchall() == [(1,)]
            assert other.execute("FROM t").fetchall() == [("x", 2), ("y", 3)]
            assert other.sql("FROM t").to_arrow_table().num_rows == 2
            for least in (1, 2, 3, 4):
                found = other.execute("SELECT count(*) FROM t WHERE a >= ?", [least]).fetchall()
                assert found == [(min(2, 4 - least),)]
            with pytest.raises(duckdb.ParserException, match="SELEC"):
                one.execute("SELEC 1")
            with pytest.raises(duckdb.BinderException, match="b"):
                one.execute("SELECT b FROM t")
        one.execute("INSERT INTO t VALUES (5)")
        assert one.execute("FROM t").fetchall() == [(1,), (5,)]
        one.execute("DROP TABLE t")
        with pytest.raises(duckdb.CatalogException):
            one.execute("FROM t")
        one.execute(f"CREATE TABLE t AS SELECT '{'z' * 10_000}' AS a")
        assert [len(text) for (text,) in one.execute("FROM t").fetchall()] == [10_000]


def test_several_statements_of_a_text_are_run_one_after_the_other_each_time() -> None:
    """Each sees what the one before made; parameters belong to the last, and settings among them are noted."""
    with duckdb.connect() as real:
        connection, settings = noting_settings(real)
        text = "CREATE OR REPLACE TEMP TABLE t (n BIGINT); INSERT INTO t VALUES (1); SELECT n + ? FROM t"
        for number in (1, 2):
            assert connection.execute(text, [number]).fetchall() == [(1 + number,)]
        assert not settings
        change = "SET threads = 1; SELECT 1"
        assert connection.execute(change).fetchall() == [(1,)]
        assert settings == [change]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("DELETE FROM t; DROP TABLE nowhere; INSERT INTO t VALUES (7)")
        assert connection.execute("-- nothing\nFROM t; -- nor here").fetchall() == []
