"""Batches that are typed at once hold what the declared formats find text by text, or are left to them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa
import pytest

from pipelines.databases.duckdb_instances import attached
from pipelines.privacy import KEEP_ALL
from pipelines.push.parse.records import schema
from pipelines.push.parse.relation import Stretch, _absent, _presence, _with_values
from pipelines.push.stage.database import _create
from pipelines.push.stage.load import _insertion, _typed_insertion
from pipelines.push.values.fast_typing import plain, prove
from pipelines.push.values.fast_typing import schema as typed_schema
from schemas.columns import Dataset, Field, Kind
from schemas.registry import PUSHED

ROUNDS = 250
FIELDS = [(name, field) for name, dataset in PUSHED.items() for field in dataset.fields]
SENDS = PUSHED["sends"]

DAYS = [
    "2024-05-01",
    "2024-02-29",
    "2023-02-29",
    "1999-12-31",
    "2000-01-01",
    "2024-13-01",
    "2024-04-31",
    "2024-00-10",
]
CLOCKS = ["10:00:00", "23:59:59", "24:00:00", "10:60:00", "10:00:60", "10:0:000", "00:00:00", "1:00:000"]
FRACTIONS = ["", "", "", ".5", ".123456", ".1234567", ",5", "."]
ZONES = ["", "Z", "Z", "+00", "+00:00", "z", "+02:00", " Z", "UTC", "-00:00"]
WORDS = [
    "null",
    "NaN",
    "None",
    "undefined",
    "n/a",
    "<null>",
    "",
    "1e5",
    "1e+5",
    "+1e-5",
    "1.0",
    "1001.00",
    "1,5e7",
]
ODD = {
    Kind.TEXT: "abnuNUeE019+-.,'=<(#\\ \t\n\u00a0\u2003\u00e9\ufeff\u200b\x7f\x07\0",
    Kind.INTEGER: "0123456789+-. e",
    Kind.MONEY: "0123456789..+- e",
    Kind.FLAG: "truefalsno10 ",
}
USUAL = {
    Kind.TEXT: [
        "old-1",
        "+12000000000",
        "a" * 24,
        "Hi \u00e9, your order is on its way. Reply STOP to end.",
        "sale",
    ],
    Kind.INTEGER: ["100", "007", "999999999999999999"],
    Kind.FLAG: ["true", "false", "TRUE", "0", "Yes"],
    Kind.MONEY: ["1.5", "0.0001", "12345678901", "1.50000", "007.25", "1.500", "0.500", "1234.500"],
    Kind.INSTANT: ["2024-05-01T10:00:00Z", "2024-05-01 10:00:00", "2024-12-31 23:59:59+00"],
}


PLACES = pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]
"""Where each of three texts of one byte begins, and the last one ends."""


def texts(dataset: Dataset, columns: dict[str, Sequence[str | None]]) -> pa.RecordBatch:
    """A batch as it comes from a text file."""
    rows = len(next(iter(columns.values())))
    places = [pa.array(range(1, rows + 1), pa.int64())] * 3
    values = [pa.array(columns.get(name, [None] * rows), pa.string()) for name in dataset.columns]
    return pa.record_batch([*places, *values, *[pa.nulls(rows, pa.string())] * 2], schema=schema(dataset))


def loaded(
    dataset: Dataset,
    rows: pa.Table,
    insertion: Callable[[Dataset, Stretch], str],
    stretch: Stretch | None = None,
) -> list[object]:
    """What becomes of rows in a stage; what is known of them is found in them where it is not given."""
    with attached(None, "stage", config={"threads": 1}) as connection:  # with one thread rows stay in order
        KEEP_ALL.define(connection)
        _create(connection, dataset)
        connection.register("incoming", rows)
        if stretch is None:
            stretch = Stretch(
                "FROM incoming", presence=_presence(rows) if insertion is _typed_insertion else frozenset()
            )
        connection.execute(insertion(dataset, stretch), [0, 0])
        return connection.execute("SELECT * EXCLUDE (row, seq) FROM input").fetchall()


def odd_text(random: Random, kind: Kind) -> str | None:
    """A value of a column that is perhaps of its kind."""
    if random.random() < 0.4:
        return random.choice([None, *WORDS, *USUAL[kind]])
    if kind is Kind.INSTANT:
        parts = DAYS, "T Tt", CLOCKS, FRACTIONS, ZONES
        return "".join(random.choice(part) for part in parts)
    return "".join(random.choices(ODD[kind], k=random.randrange(22)))


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[f"{name}-{field.name}" for name, field in FIELDS])
def test_a_column_is_typed_as_the_formats_type_it(name: str, field: Field) -> None:
    """Whatever stands in a column: what is typed at once is what the careful way finds, and only good values are."""
    dataset, random = PUSHED[name], Random(field.name)
    batches = [
        texts(dataset, {field.name: [odd_text(random, field.kind) for _ in range(random.randint(1, 3))]})
        for _ in range(ROUNDS)
    ]
    batches += [
        texts(dataset, {field.name: [value] * 2}) for value in USUAL[field.kind] if field.name != "offer_id"
    ]
    taken = [(batch, typed) for batch in batches if (typed := prove(dataset, batch)) is not None]
    assert taken
    careful = loaded(dataset, pa.Table.from_batches([batch for batch, _ in taken]), _insertion)
    quick = loaded(dataset, pa.Table.from_batches([typed for _, typed in taken]), _typed_insertion)
    assert quick == careful
    texts_of_it = pa.Table.from_batches([batch for batch, _ in taken])
    assert (
        loaded(dataset, texts_of_it, _insertion, known_of(dataset, *(batch for batch, _ in taken))) == careful
    )


def known_of(dataset: Dataset, *batches: pa.RecordBatch) -> Stretch:
    """What is known of rows of which one value may need the careful way."""
    absent = frozenset.intersection(*(_absent(dataset, _with_values(batch)) for batch in batches))
    return Stretch(
        "FROM incoming", False, absent, frozenset.intersection(*(plain(dataset, batch) for batch in batches))
    )


def usual(**changed: str | None) -> pa.RecordBatch:
    """Three sends as a good export has them, the second one changed."""
    row = {
        "id": "old-000000001",
        "to_number": "+12000000000",
        "timestamp": "2024-05-01T10:00:00Z",
        "list_number": "+15550000001",
        "message": "Hi, your order is on its way.",
        "send_type": "campaign",
        "delivered": "true",
    }
    return texts(SENDS, {name: [value, changed.get(name, value), value] for name, value in row.items()})


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"id": "A_b:c-9/@#"},
        {"message": "New: sale \u2713 \u2014 Reply STOP"},
        {"message": ""},
        {"message": None},
        {"delivered": "No"},
        {"list_number": "", "delivered": ""},
    ],
)
def test_good_rows_are_typed_at_once(changed: dict[str, str | None]) -> None:
    batch = usual(**changed)
    typed = prove(SENDS, batch)
    assert typed is not None
    assert typed.schema == typed_schema(SENDS)
    assert loaded(SENDS, typed, _typed_insertion) == loaded(SENDS, batch, _insertion)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "NULL"},
        {"id": "1.23457E+14"},
        {"id": "1e+5"},
        {"id": "1001.0"},
        {"id": " a"},
        {"id": "a\u200bb"},
        {"id": "a\x07b"},
        {"id": "a\x7fb"},
        {"id": "+-"},
        {"to_number": "+"},
        {"to_number": "'+12000000000"},
        {"to_number": "12000000000.0"},
        {"message": "NULL"},
        {"message": "'=1+1 and more than enough text to be a message"},
        {"message": '="a message of a spreadsheet that is long enough"'},
        {"message": "\u2003null\u2003"},
        {"timestamp": "2024-05-01T10:00:00"},
        {"timestamp": "2024-02-30T10:00:00Z"},
        {"timestamp": f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%M:%S}Z"},
        {"timestamp": "1999-12-31T23:59:59Z"},
        {"delivered": "maybe"},
        {"send_type": "\u00a0campaign"},
    ],
)
def test_what_is_odd_is_left_to_the_formats(changed: dict[str, str | None]) -> None:
    assert prove(SENDS, usual(**changed)) is None


@pytest.mark.parametrize("column", ["id", "to_number", "timestamp", "message", "delivered"])
def test_what_is_beside_an_odd_value_is_as_if_all_went_the_careful_way(column: str) -> None:
    """Also whether an empty text stands there, or nothing, and where the line is no record."""
    batch = usual(**{column: " 'null ", "list_number" if column == "delivered" else "delivered": ""})
    for name, value in {"problem": "unreadable", "broken": "x,y"}.items():
        texts_of_it = pa.array([None, None, value], pa.string())
        batch = batch.set_column(batch.schema.get_field_index(name), name, texts_of_it)
    known = known_of(SENDS, batch)
    assert known.plain == {*SENDS.columns} - {column}
    assert known.presence == {("list_id", False), ("length", False)}
    assert loaded(SENDS, batch, _insertion, known) == loaded(SENDS, batch, _insertion)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        # a text that is there, and is none
        ("id", pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), PLACES, pa.py_buffer(b"abc")])),
        ("length", pa.array([1.5, 2.0, 3.0])),
        ("timestamp", pa.array([1, 2, 3], pa.timestamp("ns", "UTC"))),
    ],
)
def test_columns_of_other_kinds_are_left_to_the_formats(name: str, column: pa.Array) -> None:
    batch = usual()
    assert prove(SENDS, batch.set_column(batch.schema.get_field_index(name), name, column)) is None


def test_a_slice_of_a_batch_is_typed_as_its_own_rows() -> None:
    """Arrow's columns may begin inside their buffers."""
    rows = [f"old-{number:09}" for number in range(9)]
    batch = texts(SENDS, {"id": rows, "timestamp": [f"2024-05-01T10:00:0{number}Z" for number in range(9)]})
    typed = prove(SENDS, batch.slice(3, 4))
    assert typed is not None
    assert typed.column("id").to_pylist() == rows[3:7]
    assert [at.second for at in typed.column("timestamp").to_pylist()] == [3, 4, 5, 6]
