"""An amount such as 1.500 is never sent as one and a half where its file shows that the point parts thousands."""

import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.push.files.find import Source
from pipelines.push.stage.database import building, read
from pipelines.push.stage.decimal_sign_of_file import files_of_doubtful_thousands
from schemas.registry import PUSHED

REVENUE = PUSHED["revenue"]
NAMES = ("message_id", "offer_id", "timestamp", "record_id", "revenue")
COMMA = "revenue: may be thousands: other rows of the file write a decimal comma"
POINTS = "revenue: may be thousands: other rows of the file write points between thousands"
MANY = 9_000
"""Rows of a file that is read in several blocks, with keys of so many characters."""
LONG = "x" * 240


def rows_of(amounts: Sequence[object]) -> list[tuple[object, ...]]:
    return [
        (
            f"m{number}{LONG if len(amounts) > MANY else ''}",
            "0ed904759531985d5d9dc9f8",
            "2025-01-01T10:00:00Z",
            f"r{number}",
            amount,
        )
        for number, amount in enumerate(amounts)
    ]


def written(path: Path, amounts: Sequence[object], encoding: str = "cp1252") -> Source:
    """A file of revenue with these amounts, by its name."""
    compression = "gzip" if path.suffix == ".gz" else ""
    bare = path.name.removesuffix(".gz")
    if bare.endswith(".parquet"):
        columns = zip(*rows_of(amounts), strict=True)
        pq.write_table(pa.table(dict(zip(NAMES, map(list, columns), strict=True))), path)
        return Source(path, "revenue", "parquet", "")
    if bare.endswith(".ndjson"):
        lines = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows_of(amounts)]
    else:
        by = "\t" if bare.endswith(".tsv") else ";"
        lines = [by.join(map(str, row)) for row in (NAMES, *rows_of(amounts))]
    content = "\n".join([*lines, ""]).encode(encoding)
    path.write_bytes(gzip.compress(content, 1) if compression else content)
    return Source(path, "revenue", "ndjson" if bare.endswith(".ndjson") else "csv", compression)


def staged(folder: Path, *sources: Source) -> tuple[list[list[tuple[str | None, object]]], list[int]]:
    """By file, problem and amount of each row; and the files whose amounts are doubtful."""
    with building(folder / "stage.duckdb", REVENUE, sources, folder / "none") as connection:
        found: list[list[tuple[str | None, object]]] = [[] for _ in sources]
        for batch in read(connection, "SELECT file, problem, revenue FROM input ORDER BY seq"):
            for row in batch.to_pylist():
                found[row["file"]].append((row["problem"], row["revenue"]))
        return found, files_of_doubtful_thousands(connection, REVENUE)


GERMAN = ["12,50", "1.500", "2.000", "1.234,56", "7,00", "3.250", "99,90", "10", "1.250"]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.ndjson", "a.parquet"])
def test_thousands_beside_a_decimal_comma_are_held_back(tmp_path: Path, name: str) -> None:
    """In each format, and each file by itself: another one with the same amounts and no comma is not touched."""
    other = written(tmp_path / f"other-{name}", ["1.500", "12.50"])
    (found, untouched), doubtful = staged(tmp_path, written(tmp_path / name, GERMAN), other)
    held = {amount for amount, (problem, _) in zip(GERMAN, found, strict=True) if problem == COMMA}
    assert held == {"1.500", "2.000", "3.250", "1.250"}
    assert [value for problem, value in found if problem is None] == [10]
    assert untouched == [(None, Decimal("1.5")), (None, Decimal("12.5"))]
    assert not doubtful


@pytest.mark.parametrize(
    ("name", "place"), [("a.csv", 0), ("a.csv", MANY), ("a.ndjson", MANY)], ids=["first", "last", "json"]
)
def test_the_whole_file_is_evidence(tmp_path: Path, name: str, place: int) -> None:
    """A single comma holds back what was read long before it, and long after."""
    amounts = ["1.500", *["12"] * MANY, "2.500"]
    amounts.insert(place + 1, "7,50")
    ((found,), _) = staged(tmp_path, written(tmp_path / name, amounts))
    assert [found[0], found[-1]] == [(COMMA, None)] * 2
    assert sum(problem is None for problem, _ in found) == MANY


@pytest.mark.parametrize(
    ("evidence", "amounts", "held"),
    [
        ("-7,5", ["1.500", "-1.500", "12.345", "0.125", "1.50", "1.5000", "15", "1500"], 4),
        ("12,50 \u20ac", ["1.500"], 1),
        ("1.234,567", ["1.500"], 1),
        ("1 234,56", ["1.500"], 1),
        ("0,125", ["1.500"], 1),
        ("12,-", ["1.500"], 1),
        (" 7,5 ", [" 1.500 ", "'+1.500"], 2),
        ("1.234.567", ["1.500", "12.50"], 1),
        ("1,500", ["1.500"], 0),  # may be thousands itself
        ("1,234.56", ["1.500"], 0),  # thousands as in English, so that the point is the decimal sign
        ("free", ["1.500"], 0),
    ],
)
def test_what_is_evidence_and_what_it_holds(
    tmp_path: Path, evidence: str, amounts: list[str], held: int
) -> None:
    ((found,), _) = staged(tmp_path, written(tmp_path / "a.csv", [*amounts, evidence]))
    reason = POINTS if evidence == "1.234.567" else COMMA
    assert [problem for problem, _ in found[:-1]] == [reason] * held + [None] * (len(amounts) - held)
    assert "must be an amount" in str(found[-1][0])


@pytest.mark.parametrize(
    ("amounts", "doubtful"),
    [
        (["24.900", "10", "1.500"], True),
        (["24.900", "12.5"], False),
        (["24.900", "12.50"], False),
        (["24.900", "12.5000"], False),
        (["24.900", "0.125"], False),
        (["24.900", "1234.500"], False),
        (["24", "1500"], False),
    ],
)
def test_a_file_of_three_decimals_only_is_named(tmp_path: Path, amounts: list[str], doubtful: bool) -> None:
    """Nothing is held back: by the contract it is right."""
    ((found,), files) = staged(tmp_path, written(tmp_path / "a.csv", amounts))
    assert [value for _, value in found] == [Decimal(amount) for amount in amounts]
    assert files == [0] * doubtful


@pytest.mark.parametrize("kind", [pa.decimal128(9, 3), pa.decimal128(20, 3), pa.float32(), pa.float64()])
def test_numbers_of_parquet_are_no_texts(tmp_path: Path, kind: pa.DataType) -> None:
    """How they are written says nothing."""
    exact = [Decimal("24.125"), Decimal("1.500")]
    amounts = pa.array(exact if pa.types.is_decimal(kind) else [24.125, 1.5], kind).to_pylist()
    path = tmp_path / "a.parquet"
    columns = dict(zip(NAMES, map(list, zip(*rows_of(amounts), strict=True)), strict=True))
    pq.write_table(pa.table(columns | {"revenue": pa.array(amounts, kind)}), path)
    ((found,), files) = staged(tmp_path, Source(path, "revenue", "parquet", ""))
    assert found == [(None, value) for value in exact]
    assert files == []


def test_the_value_is_kept_as_it_was_written(tmp_path: Path) -> None:
    """`rejects` shows it; and a second problem of the row hides nothing."""
    source = written(tmp_path / "a.csv", ["7,5", "1.500"])
    source.path.write_text(source.path.read_text() + "m9;x;2025-01-01;r9;2.500\n")
    with building(tmp_path / "stage.duckdb", REVENUE, [source], tmp_path / "none") as connection:
        rows = connection.execute("SELECT raw->>'revenue', problem FROM input ORDER BY seq").fetchall()
    assert rows[1] == ("1.500", COMMA)
    assert rows[2] == ("2.500", f"offer_id: must be 24 hexadecimal characters; {COMMA}")


def test_both_columns_of_amounts_are_looked_at(tmp_path: Path) -> None:
    """One writer wrote both: a comma in either holds what may be thousands in both, each by its own name."""
    path = tmp_path / "a.csv"
    rows = ["12,50;", "10;1.500", "1.500;12.3456", "1.500;2.500", "10;12.50"]
    lines = [f"m{n};0ed904759531985d5d9dc9f8;2025-01-01;r{n};{row}" for n, row in enumerate(rows)]
    path.write_text("\n".join([";".join((*NAMES, "payout")), *lines, ""]))
    source = Source(path, "revenue", "csv", "")
    with building(tmp_path / "stage.duckdb", REVENUE, [source], tmp_path / "none") as connection:
        found = connection.execute(
            "SELECT problem, revenue, payout, raw->>'revenue', raw->>'payout' FROM input ORDER BY seq"
        ).fetchall()
    payout = COMMA.replace("revenue", "payout")
    assert found[1:] == [
        (payout, Decimal(10), None, "10.0000", "1.500"),
        (COMMA, None, Decimal("12.3456"), "1.500", "12.3456"),
        (f"{COMMA}; {payout}", None, None, "1.500", "2.500"),
        (None, Decimal(10), Decimal("12.5"), None, None),
    ]
