"""What texts mean, what the API is sent, and what a row is known by."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.databases.duckdb_instances import attached
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building, read
from pipelines.push.values.api_records import joined, record
from pipelines.push.values.formats import bare, typed
from schemas.columns import Column, Field, Kind
from schemas.registry import PUSHED

MESSAGES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def cast(kind: Kind, text: str) -> Any:
    field = Field("x", kind, True, Column(""))
    with attached(None, "texts") as connection:
        cleaned = f"SELECT {bare(field, 't')} AS b FROM (SELECT ?::VARCHAR AS t)"
        query = f"SELECT {typed(field, 'b')} FROM ({cleaned})"
        ((value,),) = connection.execute(query, [text]).fetchall()
    return value


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.5", "12.5"),
        (" 12.5000 ", "12.5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("-0.2500000", "-0.25"),
        ("0.30000000000000004", None),
        ("1.5e2", None),
        ("1_000", None),
        ("5-", None),
        ("5.", None),
        ("\u0661\u0662", None),
        ("99999999999.9999", "99999999999.9999"),
        ("12.34567", None),
        ("0.00001", None),
        ("1e11", None),
        ("NaN", None),
        ("inf", None),
        ("12,5", None),
        ("$12", None),
    ],
)
def test_amounts_are_exact_or_nothing(text: str, amount: str | None) -> None:
    """An amount is a plain decimal of at most 4 places, or it is not taken at all."""
    assert cast(Kind.MONEY, text) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("12.0", 12), ("12.7", None), ("x", None), ("9223372036854775808", None)]
)
def test_whole_numbers_are_not_rounded(text: str, number: int | None) -> None:
    """A text that is no whole number is none, rather than the nearest one."""
    assert cast(Kind.INTEGER, text) == number


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01 10:00:00", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01T10:00:00.25+02:00", "2024-05-01T08:00:00.250000+00:00"),
        ("20240501T100000.5-0730", "2024-05-01T17:30:00.500000+00:00"),
        ("2024-05-01 10:00 gmt", None),
        ("1999-12-31T23:59:59Z", None),
        ("2999-01-01", None),
        ("infinity", None),
        ("yesterday", None),
        ("1714557600", None),
    ],
)
def test_times_without_a_zone_are_utc(text: str, instant: str | None) -> None:
    """A time without a zone is UTC, an offset counts, and what is no time is nothing."""
    value = cast(Kind.INSTANT, text)
    assert (value and value.isoformat()) == instant


@given(message=MESSAGES)
def test_any_text_survives_the_encoding(message: str) -> None:
    """Whatever a message holds, the record is JSON that decodes to it."""
    fields = PUSHED["sends"].fields
    columns = ", ".join(
        f"NULL::{'VARCHAR' if f.kind is Kind.TEXT else 'BOOLEAN'} AS {f.name}" for f in fields
    )
    with attached(None, "records") as connection:
        query = f"SELECT {record(fields)} FROM (SELECT {columns}) AS none, (SELECT 1)".replace(
            "NULL::VARCHAR AS message", "?::VARCHAR AS message"
        ).replace("NULL::BOOLEAN AS timestamp", "NULL::TIMESTAMPTZ AS timestamp")
        ((text,),) = connection.execute(query, [message]).fetchall()
    assert json.loads(text) == {"message": message}


def staged(folder: Path, dataset: str, name: str, content: str | bytes) -> list[dict[str, Any]]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = Source(path, dataset, {"csv": "csv", "ndjson": "ndjson", "sql": "sql"}[path.suffix[1:]])
    with building(folder / f"{name}.duckdb", PUSHED[dataset], [source], folder / "none") as connection:
        query = f"SELECT *, {record(PUSHED[dataset].fields)} AS record FROM ready ORDER BY seq"
        return [row for batch in read(connection, query) for row in batch.to_pylist()]


def test_identity_does_not_depend_on_the_format(tmp_path: Path) -> None:
    """Equal revenue has one identity, however its amount and time are written, and in whatever format."""
    csv = (
        "revenue,offer_id,message_id,timestamp\n12.50,269e0d37f2a74de452e6b438,m1,2024-05-01 12:00:00+02:00\n"
    )
    ndjson = (
        '{"message_id":"m1","offer_id":"269e0d37f2a74de452e6b438","revenue":12.5,'
        '"timestamp":"2024-05-01T10:00:00Z"}\n'
    )
    sql = (
        "SELECT 'm1' AS message_id, '269e0d37f2a74de452e6b438' AS offer_id, 12.5::DOUBLE AS revenue,"
        " TIMESTAMP '2024-05-01 10:00:00' AS timestamp;"
    )
    rows = [
        staged(tmp_path, "revenue", name, text)[0]
        for name, text in (("a.csv", csv), ("b.ndjson", ndjson), ("c.sql", sql))
    ]
    content = (
        "message_id=m1\x1foffer_id=269e0d37f2a74de452e6b438\x1frevenue=12.5000\x1f"
        "timestamp=1714557600000000\x1f"
    )
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    assert {row["identity"] for row in rows} == {f"content:{digest}"}
    assert {row["record"] for row in rows} == {
        '{"message_id":"m1","offer_id":"269e0d37f2a74de452e6b438","revenue":12.5,"timestamp":"2024-05-01T10:00:00Z"}'
    }


def test_record_id_is_the_identity_and_never_sent(tmp_path: Path) -> None:
    """A record_id tells rows apart and stays here."""
    text = '{"message_id":"m1","offer_id":"269e0d37f2a74de452e6b438","revenue":0.1,"record_id":"r1"}\n'
    (row,) = staged(tmp_path, "revenue", "a.ndjson", text)
    assert (row["identity"], row["record"]) == (
        "record:r1",
        '{"message_id":"m1","offer_id":"269e0d37f2a74de452e6b438","revenue":0.1}',
    )


def test_what_is_known_of_rows_changes_no_text() -> None:
    """Rows are encoded faster where a field is known to be in all of them, or in none, and read the same."""
    fields = PUSHED["sends"].fields
    values = "('a\"b', '+12000000000', TIMESTAMPTZ '2024-05-01 10:00:00.5Z', NULL, 100, 'Hi \u2713', NULL, true, 2)"
    names = ", ".join(field.name for field in fields)
    known = [(name, name not in ("list_number", "send_type")) for name in PUSHED["sends"].columns]
    with attached(None, "records") as connection:
        connection.execute(
            f"SET TimeZone = 'UTC'; CREATE TABLE t AS SELECT * FROM (VALUES {values}) AS t({names})"
        )
        texts = {
            connection.execute(f"SELECT {record(fields, frozenset(some), '},')} FROM t").fetchall()[0][0]
            for some in ([], known[:1], known[1:2], known[::2], known[3:7], known)
        }
    assert texts == {
        (
            '{"id":"a\\"b","to_number":"+12000000000","timestamp":"2024-05-01T10:00:00.5Z","list_id":100,'
            '"message":"Hi \u2713","delivered":true,"length":2},'
        )
    }
    assert joined("','", {"a": ("'a='", "a")}, frozenset({("a", False)})) == "concat_ws(',', NULL)"
