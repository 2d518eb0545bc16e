"""Columns of a field's own type are taken over as they are, and hold what their texts would."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.databases.duckdb_instances import attached
from pipelines.privacy import KEEP_ALL
from pipelines.push.files.find import Source
from pipelines.push.parse.relation import Stretch, opened_relation
from pipelines.push.parse.typed_columns import as_text, select_texts, typed_amounts
from pipelines.push.stage.database import _create, count
from pipelines.push.stage.load import _insertion, _typed_insertion
from schemas.registry import PUSHED

SENDS = PUSHED["sends"]
REVENUE = PUSHED["revenue"]

GOOD_SENDS = """
    SELECT 'old-' || i AS id, '+1200000000' || i % 10 AS to_number, {time} AS timestamp, 100 + i AS list_id,
        'Hi ' || i || ', your order is on its way to you now.' AS message, i % 2 = 0 AS delivered
    FROM range({rows}) t(i)
"""
TIME = "TIMESTAMPTZ '2024-05-01 10:00:00+02' + to_microseconds(i * 1000001)"


def both_ways(folder: Path, query: str, name: str = "sends") -> tuple[list[bool], int]:
    """Which parts of a file's rows were proven, and how many rows came of it: those that its texts give, in order."""
    dataset, path = PUSHED[name], folder / f"{name}.parquet"
    parts = []
    with attached(None, "stage", config={"threads": 1}) as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        KEEP_ALL.define(connection)
        _create(connection, dataset)
        with opened_relation(connection, dataset, Source(path, name, "parquet")) as read:
            for part in read.stretches:
                parts.append(part.proven)
                connection.execute((_typed_insertion if part.proven else _insertion)(dataset, part), [0, 0])
        connection.execute("CREATE TABLE quick AS FROM input; DELETE FROM input")
        rows = f"read_parquet('{path}', file_row_number = true)"
        found = {
            str(row[0]): (str(row[0]), str(row[1]))
            for row in connection.execute(f"DESCRIBE FROM {rows}").fetchall()
        }
        texts = select_texts(dataset, found, rows, row="file_row_number + 1")
        as_texts = Stretch(texts, typed_amounts=typed_amounts(dataset, found))
        connection.execute(_insertion(dataset, as_texts), [0, 0])
        for one, other in (("quick", "input"), ("input", "quick")):
            assert connection.execute(f"FROM {one} EXCEPT ALL FROM {other} LIMIT 3").fetchall() == []
        return parts, count(connection, "SELECT count(*) FROM quick")


@pytest.mark.parametrize(
    "time",
    [
        TIME,
        "TIMESTAMP '2024-05-01 10:00:00' + to_microseconds(i * 1000001)",
        "strftime(TIMESTAMP '2024-05-01' + to_seconds(i), '%Y-%m-%dT%H:%M:%SZ')",
    ],
)
def test_good_columns_of_their_own_type(tmp_path: Path, time: str) -> None:
    parts, rows = both_ways(tmp_path, GOOD_SENDS.format(time=time, rows=3))
    assert parts == [True]
    assert rows == 3


@pytest.mark.parametrize(
    "time",
    [
        "CASE WHEN i = 1 THEN 'infinity'::TIMESTAMPTZ ELSE TIMESTAMPTZ '2024-05-01 10:00:00Z' END",
        "CASE WHEN i = 1 THEN TIMESTAMP '1999-12-31 23:59:59' ELSE TIMESTAMP '2024-05-01 10:00:00' END",
        "CASE WHEN i = 1 THEN TIMESTAMP '0044-03-15 (BC) 10:00:00' ELSE TIMESTAMP '2024-05-01 10:00:00' END",
        "TIMESTAMP_NS '2024-05-01 10:00:00.123456789'",
        "DATE '2024-05-01'",
        "CAST(1714557600 AS BIGINT)",
        "1714557600.5::DOUBLE",
    ],
)
def test_times_that_need_a_closer_look(tmp_path: Path, time: str) -> None:
    parts, _ = both_ways(tmp_path, GOOD_SENDS.format(time=time, rows=3))
    assert parts == [False]


@pytest.mark.parametrize("id_type", ["BIGINT", "HUGEINT", "DOUBLE", "BLOB", "UUID", "DECIMAL(9,0)"])
def test_ids_of_other_types(tmp_path: Path, id_type: str) -> None:
    value = (
        "'0123456789abcdef0123456789abcdef'"
        if id_type == "UUID"
        else "i::VARCHAR"
        if id_type == "BLOB"
        else "i"
    )
    query = GOOD_SENDS.format(time=TIME, rows=3).replace("'old-' || i", f"({value})::{id_type}")
    parts, _ = both_ways(tmp_path, query)
    assert parts == [id_type == "BIGINT"]


@pytest.mark.parametrize(
    ("amount", "quick"),
    [
        ("DECIMAL(10,2)", True),
        ("DECIMAL(15,4)", True),
        ("DECIMAL(18,4)", False),
        ("DECIMAL(12,6)", False),
        ("VARCHAR", True),
        ("DOUBLE", False),
        ("BIGINT", True),
    ],
)
def test_amounts(tmp_path: Path, amount: str, quick: bool) -> None:
    parts, _ = both_ways(
        tmp_path,
        f"SELECT 'm' || i AS message_id, repeat('a', 24) AS offer_id, (i * 7)::{amount} AS revenue,"
        " NULL::DECIMAL(9,2) AS payout FROM range(4) t(i)",
        "revenue",
    )
    assert parts == [quick]


def test_one_odd_row_costs_only_its_batch(tmp_path: Path) -> None:
    """Rows before and after it are typed at once, and every row is there once, in order."""
    query = GOOD_SENDS.format(time=TIME, rows=70_000).replace(
        "'old-' || i", "CASE WHEN i = 30000 THEN ' x' ELSE 'old-' || i END"
    )
    parts, rows = both_ways(tmp_path, query)
    assert parts == [True, False, True]
    assert rows == 70_000


@pytest.mark.parametrize(
    ("field", "value", "text", "problem"),
    [
        ("message", "NULL", None, None),
        ("message", "'\"Hi\"'::JSON", "Hi", None),
        ("message", "'{\"a\": 1}'::JSON", '{"a":1}', "is nested or binary"),
        ("message", "[1, 2]", "[1, 2]", "is nested or binary"),
        ("message", "true", "true", "is true or false"),
        ("message", "DATE '2024-05-01'", "2024-05-01", "is a date or a time"),
        ("message", "1.5::DECIMAL(9, 2)", "1.50", "is a number with decimals"),
        ("list_id", "7::DECIMAL(9, 0)", "7", None),
        ("list_id", "7.0::DOUBLE", "7", None),
        ("list_id", "7.5::DOUBLE", "7.5", None),
        ("message", "7.0::DOUBLE", "7.0", "is a float"),
        ("list_id", "16777215::FLOAT", "16777215", None),
        ("list_id", "16777217::FLOAT", "16777216.0", "is a float of this size"),
        ("list_id", "9007199254740991::DOUBLE", "9007199254740991", None),
        ("list_id", "9007199254740993::DOUBLE", "9007199254740992.0", "is a float of this size"),
        ("revenue", "0.1::FLOAT", "0.1", None),
        ("revenue", "1023.1234::FLOAT", "1023.1234", None),
        ("revenue", "20000.1234::FLOAT", "20000.123", "is a float of this size"),
        ("revenue", "-131071.99::FLOAT", "-131071.99", None),
        ("revenue", "1234567.89::FLOAT", "1234567.9", "is a float of this size"),
        ("revenue", "200000::FLOAT", "200000.0", "is a float of this size"),
        ("revenue", "'inf'::FLOAT", "inf", None),
        ("revenue", "'nan'::FLOAT", "nan", None),
        ("revenue", "1234567.89::DOUBLE", "1234567.8900", None),
        ("revenue", "(0.1 + 0.2)::DOUBLE", "0.3000", None),
        ("message", "'\\xFF'::BLOB", None, "holds bytes that are not UTF-8"),
    ],
)
def test_a_value_of_another_type_is_its_text_or_a_problem(
    field: str, value: str, text: str | None, problem: str | None
) -> None:
    """By the column's type; what the text means is for the formats."""
    (of,) = [one for one in (*SENDS.fields, *REVENUE.fields) if one.name == field][:1]
    with attached(None, "values") as connection:
        kind = connection.sql(f"SELECT {value} AS value").types[0]
        sql, why = as_text(of, str(kind).strip('"'), "value")
        found = connection.execute(f"SELECT {sql}, {why or 'NULL'} FROM (SELECT {value} AS value)").fetchone()
    assert found is not None
    assert found[0] == text
    assert (found[1] is None) == (problem is None), found
    assert problem is None or f"{field}: {problem}" in found[1]


_NESTED, _NO_TIME = "is nested or binary", "is a time of day or a span of time"
_FLOAT, _IS_TIME, _FLAG = "is a float, which may", "is a date or a time", "is true or false"
_NUMBER, _NO_INSTANT, _NO_AMOUNT = (
    "a number of seconds or days",
    "must be a date and time",
    "must be an amount",
)
_MORE = "is a number with decimals"


def of_type(value: object, kind: pa.DataType) -> pa.Array:
    """One value, built by way of a plain number where Arrow does not take it as it is."""
    try:
        return pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError):
        return pa.array([value]).cast(kind)


@pytest.mark.parametrize(
    ("kind", "value", "key", "amount", "time"),
    [
        (pa.int8(), 5, "5", "5.0000", _NUMBER),
        (pa.uint64(), 2**64 - 1, str(2**64 - 1), _NO_AMOUNT, _NUMBER),
        (pa.float16(), np.float16(2049), "is a float of 16 bits", "is a float of 16 bits", "is a float of 16 bits"),
        (pa.float32(), 5.25, _FLOAT, "5.2500", _FLOAT),
        (pa.float64(), 5.25, _FLOAT, "5.2500", _FLOAT),
        (pa.decimal128(38, 2), Decimal("5.25"), _MORE, "5.2500", _MORE),
        (pa.decimal256(50, 2), Decimal("12345678.25"), _FLOAT, "12345678.2500", _FLOAT),
        (pa.decimal256(50, 2), Decimal("12345678901234567.25"), _FLOAT, None, _FLOAT),
        (pa.bool_(), True, _FLAG, _FLAG, _FLAG),
        (pa.date32(), date(2024, 5, 1), _IS_TIME, _IS_TIME, "2024-05-01 00:00:00+00"),
        (pa.date64(), date(2024, 5, 1), _IS_TIME, _IS_TIME, "2024-05-01 00:00:00+00"),
        (pa.timestamp("s"), 1714557600, _IS_TIME, _IS_TIME, "2024-05-01 10:00:00+00"),
        (pa.timestamp("ns", "Europe/Berlin"), 1714557600 * 10**9, _IS_TIME, _IS_TIME, "2024-05-01 10:00:00+00"),
        *((pa.time32(unit), 5, _NO_TIME, _NO_TIME, _NO_TIME) for unit in ("s", "ms")),
        *((pa.time64(unit), 5, _NO_TIME, _NO_TIME, _NO_TIME) for unit in ("us", "ns")),
        *((pa.duration(unit), 5, _NO_TIME, _NO_TIME, _NO_TIME) for unit in ("s", "ms", "us", "ns")),
        (pa.binary(), b"5", "5", "5.0000", _NUMBER),
        (pa.binary(1), b"5", "5", "5.0000", _NUMBER),
        (pa.large_binary(), b"\xff", *["holds bytes that are not UTF-8"] * 3),
        (pa.string_view(), "5", "5", "5.0000", _NUMBER),
        (pa.dictionary(pa.int32(), pa.string()), "5", "5", "5.0000", _NUMBER),
        (pa.list_(pa.int64()), [5], _NESTED, _NESTED, _NESTED),
        (pa.struct({"a": pa.int64()}), {"a": 5}, _NESTED, _NESTED, _NESTED),
        (pa.map_(pa.string(), pa.int64()), [("a", 5)], _NESTED, _NESTED, _NESTED),
        (pa.null(), None, None, None, None),
    ],
    ids=str,
)  # fmt: skip
def test_what_each_type_of_a_parquet_file_comes_to(
    tmp_path: Path, kind: pa.DataType, value: object, key: str | None, amount: str | None, time: str | None
) -> None:
    """A key, an amount and a time of each: the value, or why the row is held back."""
    path = tmp_path / "revenue.parquet"
    column = of_type(value, kind)
    offer = pa.array(["a" * 24])
    pq.write_table(
        pa.table({"message_id": column, "offer_id": offer, "revenue": column, "timestamp": column}), path
    )
    with attached(None, "stage", config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        KEEP_ALL.define(connection)
        _create(connection, REVENUE)
        with opened_relation(connection, REVENUE, Source(path, "revenue", "parquet")) as read:
            for part in read.stretches:
                connection.execute((_typed_insertion if part.proven else _insertion)(REVENUE, part), [0, 0])
        fields = ("message_id", "revenue", "timestamp")
        texts = ", ".join(f"{field}::VARCHAR" for field in fields)
        ((problem, *values),) = connection.execute(
            f"SELECT coalesce(problem, ''), {texts} FROM input"
        ).fetchall()
    for field, found, expected in zip(fields, values, (key, amount, time), strict=True):
        why = [one for one in problem.split("; ") if one.startswith(f"{field}: ")]
        if why:
            assert expected is not None
            assert expected in why[0]
        else:
            assert found == expected
