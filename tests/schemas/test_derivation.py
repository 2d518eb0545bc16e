"""Everything derived from a declaration says the same as the declaration."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipelines.databases.duckdb_instances import attached
from schemas.columns import Column, Dataset, Kind
from schemas.derived.arrow import arrow_schema, quarantine_schema
from schemas.derived.pandera_checks import broken_rows, frame_schema
from schemas.derived.tables import breaks_a_check, comments, create_table, describe
from schemas.dictionary import DOCUMENT, dictionary
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS
from schemas.registry import PULLED, PUSHED

ALL = [*PULLED.values(), *PUSHED.values(), SNAPSHOTS, PAGES, RUNS, QUARANTINED]
datasets = pytest.mark.parametrize("dataset", ALL, ids=lambda dataset: dataset.name)


@datasets
def test_a_declared_row_makes_a_table_with_comments(dataset: Dataset) -> None:
    """DuckDB takes the derived table, and gives every comment and type back."""
    with attached(None, "tables") as connection:
        connection.execute(create_table("t", dataset.fields))
        for statement in comments("t", dataset, dataset.fields):
            connection.execute(statement)
        found = connection.execute(
            "SELECT column_name, comment, is_nullable FROM duckdb_columns() WHERE table_name = 't'"
        ).fetchall()
    assert found == [(field.name, describe(field), field.nullable) for field in dataset.fields]


@datasets
def test_an_empty_arrow_table_passes_its_checks(dataset: Dataset) -> None:
    """The Arrow schema and the pandera schema of a dataset agree on columns and types."""
    assert broken_rows(dataset, arrow_schema(dataset).empty_table()) == {}
    assert list(frame_schema(dataset).columns) == list(dataset.columns)


@datasets
def test_every_column_has_a_meaning(dataset: Dataset) -> None:
    """No column goes undocumented."""
    assert all(field.column.doc.endswith(".") for field in dataset.fields)


def test_contract_types() -> None:
    """Instants are TIMESTAMPTZ, money is DECIMAL(18,4), custom fields and metadata are JSON."""
    sql = create_table("contacts", PULLED["contacts"].fields) + create_table(
        "offers", PULLED["offers"].fields
    )
    for column in (
        '"signup_date" TIMESTAMPTZ',
        '"revenue_total" DECIMAL(18,4)',
        '"custom_fields" JSON',
        '"metadata" JSON',
        '"payout" DECIMAL(18,4)',
    ):
        assert column in sql


def test_pulled_tables_carry_their_bookkeeping() -> None:
    """Every pulled row has extra and synced_at, and names its snapshot and page; quarantined ones raw and reason."""
    assert set(BOOKKEEPING.columns) == {"extra", "synced_at", "snapshot", "page"}
    assert {"raw", "reason", "synced_at"} <= set(quarantine_schema().names)


def test_the_data_dictionary_is_current() -> None:
    """docs/data-dictionary.md is what the declarations say today."""
    document = Path(__file__).parents[2] / DOCUMENT
    assert document.read_text(encoding="utf-8") == dictionary(), "run: python -m schemas.dictionary"


def _contacts(**columns: list[Any]) -> pa.Table:
    good: dict[str, Any] = {
        "phone_number": "+15550000001",
        "list_id": 1,
        "active": True,
        "send_count": 0,
        "click_count": 0,
        "revenue_total": Decimal("1.5"),
        "conversion_count": 0,
    }
    rows = len(next(iter(columns.values())))
    schema = arrow_schema(PULLED["contacts"])
    return pa.table({name: columns.get(name, [good.get(name)] * rows) for name in schema.names}, schema)


def test_each_check_names_the_row_and_the_rule_and_no_value() -> None:
    """A broken rule is reported by column and rule, without the value, which may be personal."""
    table = _contacts(
        phone_number=["+15550000001", "555-0000", "+15550000001"],
        send_count=[0, -1, -7],
        carrier=["x", None, "y"],
    )
    assert broken_rows(PULLED["contacts"], table) == {
        1: "phone_number: must be E.164, like +15551234567; send_count: must be at least 0",
        2: "send_count: must be at least 0",
    }


_ODD: dict[Kind, list[Any]] = {
    Kind.TEXT: [
        *(
            None,
            "",
            " ",
            "x",
            "a\0b",
            "\u00e9" * 255,
            "\U0001f600" * 255,
            "e\u0301" * 128,
            "y" * 256,
            "+1555000000\u0661",
        ),
        *(
            "+15550000001",
            "+15550000001\n",
            "\n+15550000001",
            "15550000001",
            "+05550000001",
            "+155500",
            "+1555000",
        ),
        *(
            "+155500000011234",
            "+1555000000112345",
            " +15550000001",
            "+15550000001\0",
            "+1555000\0000",
            "\uff0b15550000001",
        ),
    ],
    Kind.INTEGER: [None, 0, 1, -1, -(2**63), 2**63 - 1],
    Kind.MONEY: [None, Decimal(0), Decimal("0.0001"), Decimal("-0.0001"), Decimal("99999999999999.9999")],
}


@pytest.mark.parametrize("dataset", PUSHED.values(), ids=lambda dataset: dataset.name)
def test_duckdb_finds_the_rows_that_pandera_names(dataset: Dataset) -> None:
    """A row that breaks a check is found by both, whatever stands in its columns."""
    schema = arrow_schema(dataset)
    usual = {
        Kind.TEXT: "+15550000001",
        Kind.INSTANT: datetime(2024, 5, 1, tzinfo=UTC),
        Kind.MONEY: Decimal(1),
    }
    good = {field.name: usual.get(field.kind) for field in dataset.fields}
    rows = [
        good,
        *({**good, field.name: odd} for field in dataset.fields for odd in _ODD.get(field.kind, [None])),
    ]
    table = pa.Table.from_pylist(rows, schema)
    with attached(None, "given_rows") as connection:
        connection.register("given", table.append_column("place", pa.array(range(len(rows)))))
        found = connection.execute(
            f"SELECT place FROM given WHERE {breaks_a_check(dataset.fields)}"
        ).fetchall()
    broken = broken_rows(dataset, table)
    assert len(broken) > len([field for field in dataset.fields if not field.nullable])
    assert sorted(place for (place,) in found) == sorted(broken)


def test_documented_values_are_no_rule() -> None:
    """A line type that the vendor adds is published: documented values warn, they do not quarantine."""
    assert broken_rows(PULLED["contacts"], _contacts(line_type=["SATELLITE"])) == {}


def test_a_column_without_meaning_cannot_be_declared() -> None:
    """Declaring a field without a Column is an error where it is declared, not where it is used."""

    class Row(msgspec.Struct):
        id: int

    with pytest.raises(TypeError, match="column id is declared without"):
        assert Dataset("rows", Row, ("id",), "", "").fields


def test_kinds_are_read_off_annotations() -> None:
    """Optional and plain annotations give the same kind, and only optional ones may be null."""
    fields = {field.name: field for field in PULLED["contacts"].fields}
    assert (fields["list_id"].kind, fields["list_id"].nullable) == (Kind.INTEGER, False)
    assert (fields["last_sent_at"].kind, fields["last_sent_at"].nullable) == (Kind.INSTANT, True)
    assert (fields["custom_fields"].kind, fields["custom_fields"].nullable) == (Kind.JSON, True)
    assert isinstance(fields["carrier"].column, Column)


def test_a_frame_that_is_not_of_its_dataset_is_our_own_fault() -> None:
    """A column of another type is no reason to quarantine rows."""
    table = arrow_schema(PULLED["contacts"]).empty_table()
    table = table.set_column(table.column_names.index("list_id"), "list_id", pa.array([], pa.string()))
    with pytest.raises(TypeError, match="contacts: frame does not fit its schema"):
        broken_rows(PULLED["contacts"], table)
