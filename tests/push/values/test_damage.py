"""Damage of a spreadsheet is recognized wherever a text belongs, and named."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.push.files.find import Source
from pipelines.push.stage.database import building, read
from schemas.registry import PUSHED

HEADER = "id,to_number,timestamp,list_id,message"
ERRORS = ["#REF!", "#NAME?", "#DIV/0!", "#VALUE!", "#NUM!", "#NULL!", " #ref! "]


def problems(folder: Path, *rows: str) -> list[str | None]:
    """What is wrong with each row of a file of sends."""
    return column(folder, "problem", *rows)


def column(folder: Path, name: str, *rows: str) -> list[Any]:
    """A column of the stage of a file of sends."""
    path = folder / "sends.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    source = Source(path, "sends", "csv", "")
    with building(folder / "stage.duckdb", PUSHED["sends"], [source], folder / "none") as connection:
        batches = list(read(connection, f"SELECT {name} AS found FROM input ORDER BY seq"))
    return [row["found"] for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("id", "{},+12000000000,2024-05-01,100,Hi"),
        ("message", "a,+12000000000,2024-05-01,100,{}"),
        ("to_number", "a,{},2024-05-01,100,Hi"),
        ("timestamp", "a,+12000000000,{},100,Hi"),
        ("list_id", "a,+12000000000,2024-05-01,{},Hi"),
    ],
)
def test_an_error_of_a_spreadsheet_is_named(tmp_path: Path, name: str, row: str) -> None:
    found = problems(tmp_path, *(row.format(error) for error in ERRORS))
    assert found == [f"{name}: is an error of a spreadsheet; correct its formula and export it again"] * len(
        ERRORS
    )


def test_a_text_that_only_speaks_of_one_is_none(tmp_path: Path) -> None:
    texts = ["Error #REF!", "#REF! again", "#1", "#sale", "#NAME"]
    rows = [f"a{number},+12000000000,2024-05-01,100,{text}" for number, text in enumerate(texts)]
    assert problems(tmp_path, *rows) == [None] * len(texts)


def test_a_key_with_a_decimal_comma_is_a_float(tmp_path: Path) -> None:
    rows = [f'"{key}",+12000000000,2024-05-01,100,Hi' for key in ("1001,0", "1001.00", "1001,5")]
    floated = "id: a number with .0, as floats are written; export it as text"
    assert problems(tmp_path, *rows) == [floated, floated, None]


def test_an_apostrophe_at_both_ends_is_no_guard(tmp_path: Path) -> None:
    texts = ["'- 5% 'til monday'", "'-5%", "'=1+1'"]
    rows = [f"a{number},+12000000000,2024-05-01,100,{text}" for number, text in enumerate(texts)]
    assert column(tmp_path, "message", *rows) == ["'- 5% 'til monday'", "-5%", "'=1+1'"]


DAY = "there is no such day"
CLOCK = "there is no such time of day"
OFFSET = "there is no such offset"
SPAN = "is not a time between 2000 and tomorrow"


def test_a_time_is_refused_for_what_is_wrong_with_it(tmp_path: Path) -> None:
    times = {
        "2024-05-01T24:00:00Z": CLOCK,
        "2024-05-01 24:00": CLOCK,
        "20240501T240000Z": CLOCK,
        "2024-05-01T10:60:00Z": CLOCK,
        "2024-05-01T10:00:60Z": CLOCK,
        "2024-05-01T10:00:60.5+02:00": CLOCK,
        "20240501T100060Z": CLOCK,
        "2024-02-30": DAY,
        "2023-02-29T10:00:00Z": DAY,
        "20240431": DAY,
        "20240431T100000Z": DAY,
        "2024-13-01T10:00:00+02:00": DAY,
        "2024-05-00": DAY,
        "2024-05-01T10:00:00+25:00": OFFSET,
        "2024-05-01T10:00:00+0260": OFFSET,
        "1999-12-31T23:59:59Z": SPAN,
        "2999-01-01": SPAN,
        "19991231": SPAN,
    }
    found = problems(tmp_path, *(f'a,+12000000000,"{time}",100,Hi' for time in times))
    assert [str(one).removeprefix("timestamp: ").split(";")[0] for one in found] == list(times.values())


def test_a_whole_number_may_be_too_large(tmp_path: Path) -> None:
    numbers = [
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
        "9223372036854775807",
    ]
    found = problems(tmp_path, *(f"a,+12000000000,2024-05-01,{number},Hi" for number in numbers))
    assert found == ["list_id: is too large"] * 3 + [None]


def test_what_is_beyond_microseconds_is_cut_and_the_plan_says_so(tmp_path: Path) -> None:
    """Zeros there are nothing that is lost."""
    long = ["2024-05-01T10:00:00.1234567Z", "20240501T100000,123456001", "2024-05-01 12:00:00.123456001+02"]
    whole = ["2024-05-01T10:00:00.123456000Z", "2024-05-01T10:00:00.123456Z"]
    rows = [f'a{number},+12000000000,"{time}",100,Hi' for number, time in enumerate([*long, *whole])]
    assert column(tmp_path, "epoch_us(timestamp) % 1000000", *rows) == [123456] * 5
    (notes,) = column(tmp_path, "(SELECT notes FROM files)", *rows[:1])
    assert notes == ["times are cut to microseconds in 1 row"]
    assert column(tmp_path, "(SELECT notes FROM files)", *rows[3:]) == [[], []]
