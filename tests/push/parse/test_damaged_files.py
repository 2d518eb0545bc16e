"""Files that are damaged or hold what is none of ours: what is refused, what is held back, and how it is named."""

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staged import HEADER, LINE, load, load_column, text

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.facts import EMPTY
from pipelines.push.stage.database import building
from schemas.registry import PUSHED


def test_a_quote_that_never_closes_counts_every_line(tmp_path: Path) -> None:
    """All lines up to the end of the file are rows that are left out, each by its number and key."""
    lines = [LINE.format(f"m{n}", '"Sale' if n == 1 else "Hi") for n in range(500)]
    rows = text(tmp_path, "\n".join([HEADER, *lines]) + "\n")
    assert len(rows) == 500
    assert [row["problem"] is None for row in rows] == [True] + [False] * 499
    assert [(row["line"], row["last_line"], row["base"]) for row in rows] == [
        (n + 2, n + 2, f"m{n}") for n in range(500)
    ]
    assert {row["problem"] for row in rows[1:]} == {
        "lines 3 to 501: a quote that begins in line 3 never closes"
    }


@pytest.mark.parametrize(
    ("messages", "begins", "keys"),
    [
        (['"Sale', "Hi", "Hi"], "2 never closes", ["m0", "m1", "m2"]),
        (['"Hi,\nyou","x', "Hi"], "3 never closes", ["m0", None, "m1"]),
        (['"Hi, ""you""', "Hi, a text without quotes"], "2 never closes", ["m0", "m1"]),
        (['"Sale', "\n\nno row", "Hi"], "2 never closes", ["m0", None, None, "m2"]),
        (["Hi", '"Sale', '"Hi, you"', "Hi"], "3 is not", ["m0", "m1", "m2", "m3"]),
        (['"Sale', "Hi", 'Only 12"', "Hi"], "2 is not", ["m0", "m1", "m2", "m3"]),
    ],
)
def test_the_line_in_which_a_quote_begins_is_named(
    tmp_path: Path, messages: list[str], begins: str, keys: list[str | None]
) -> None:
    """Only that line has to be corrected. A line of a text has no key."""
    lines = [LINE.format(f"m{n}", message) for n, message in enumerate(messages)]
    rows = text(tmp_path, "\n".join([HEADER, *lines, ""]))
    assert f"a quote that begins in line {begins}" in str([row["problem"] for row in rows])
    assert [row["base"] for row in rows] == keys


def test_rows_inside_a_text_are_not_swallowed(tmp_path: Path) -> None:
    """Two stray quotes that make one valid record of three rows hold all three back."""
    lines = [LINE.format("m1", '"Sale now'), LINE.format("m2", "Hi"), LINE.format("m3", 'Only 12"')]
    rows = text(tmp_path, "\n".join([HEADER, *lines, LINE.format("m4", "Hi")]) + "\n")
    assert [row["problem"] is None for row in rows] == [False, False, False, True]


@pytest.mark.parametrize(
    "content",
    [
        "m1,+12000000000,2024-05-01,100,Hi Ann,x\n",
        "m1;+12000000000;2024-05-01;100;Hi Ann;x\n",
        f"sep=,\n{LINE.format('m1', 'Hi Ann')}\n",
    ],
)
def test_a_file_without_a_header_is_named_without_its_data(tmp_path: Path, content: str) -> None:
    """The error says that there is no header line and quotes nothing of it."""
    with pytest.raises(UsageError, match="has no header line") as caught:
        text(tmp_path, content)
    assert "Ann" not in str(caught.value)
    assert "+1200" not in str(caught.value)


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    """A compressed file that is cut short, or is none, is a usage error that says so."""
    whole = gzip.compress("\n".join([HEADER, *(LINE.format(f"m{n}", "Hi") for n in range(5_000))]).encode())
    path = tmp_path / "sends.csv.gz"
    for content, words in ((whole[:-200], "is cut short"), (b"id,to_number\n", "is not gzip data")):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            load(path, compression="gzip")


def test_two_keys_of_one_field_hold_the_row_back(tmp_path: Path) -> None:
    """An object with a key twice, or in two cases of letters, is a row with a problem."""
    good = '"to_number":"+12000000000","timestamp":"2024-05-01","list_id":1'
    rows = text(
        tmp_path, f'{{"id":"a","id":"b",{good}}}\n{{"id":"a","ID":"b",{good}}}\n', "s.ndjson", "ndjson"
    )
    assert [row["problem"] for row in rows] == ["has two keys for the same field"] * 2


def test_a_quote_open_beyond_the_longest_line_counts_every_line(tmp_path: Path) -> None:
    """A record may not take up more than a line may: its lines are left out, and those after it are read."""
    filler = "x" * 1000 + "\n"
    rows = text(
        tmp_path, f"{HEADER}\n{LINE.format('m0', 'hi')}\n{LINE.format('m1', chr(34))}\n" + filler * 6500
    )
    assert [row["id"] for row in rows if row["problem"] is None] == ["m0"]
    assert len(rows) == 6502
    assert [row["line"] for row in rows] == list(range(2, 6504))
    assert {row["base"] for row in rows[2:]} == {None}
    (last,) = re.findall(
        "^lines 3 to (5[0-9]{3}|6[0-9]{3}): a quote that begins in line 3 is not closed", rows[1]["problem"]
    )
    assert rows[1]["problem"] == rows[int(last) - 2]["problem"]


@pytest.mark.parametrize("hidden", ["\u200b", "\x07", "\x7f"])
@pytest.mark.parametrize("column", [0, 1])
def test_invisible_characters_in_an_id_or_a_phone_are_named(tmp_path: Path, column: int, hidden: str) -> None:
    """Whoever looks at two such ids sees one; the account would hold both."""
    cells = LINE.format("m1", "in a message \u200d they stay").split(",")
    content = "\n".join(
        [
            HEADER,
            ",".join(cells),
            ",".join([*cells[:column], f"{cells[column]}{hidden}1", *cells[column + 1 :]]),
        ]
    )
    good, bad = text(tmp_path, content)
    assert (good["problem"], good["message"]) == (None, "in a message \u200d they stay")
    assert bad["problem"] == f"{HEADER.split(',')[column]}: has invisible characters"


_BY_ID, _BY_TEXT = "id,to_number,timestamp,list_id", "message,to_number,timestamp,list_id,id"


@pytest.mark.parametrize(
    ("header", "record", "number", "why"),
    [
        (_BY_ID, '"m\n1",{0}', 1, "id: has a line break"),
        (_BY_ID, '"m\r\n\r\n1",{0}', 1, "id: has a line break"),
        (_BY_ID, '"m\n1,{0}\nm2",{0}', 3, "lines 2 to 4: a quote that begins"),
        (_BY_ID, '"m1,{0}\nm2",{0}', 2, "lines 2 to 3: a quote that begins"),
        (_BY_TEXT, '"Hi\nyou",{0},m1', 1, None),
        (_BY_TEXT, '"Hi, a, b, c, d\nyou",{0},m1', 2, "lines 2 to 3: a quote that begins"),
    ],
)
def test_a_line_break_in_the_first_cell_is_one_row(
    tmp_path: Path, header: str, record: str, number: int, why: str | None
) -> None:
    """Its last line has the other cells, and looks like a row; a line before it that may be one is still not lost."""
    rest = "+12000000000,2024-05-01,100"
    after = f"x,{rest},m9" if header.startswith("message") else f"m9,{rest}"
    *rows, good = text(tmp_path, f"{header}\n{record.format(rest)}\n{after}\n")
    assert len(rows) == number
    assert all((row["problem"] or "").startswith(why or "") for row in rows)
    assert (rows[0]["problem"] is None) == (why is None)
    assert (good["problem"], good["id"]) == (None, "m9")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04[Content_Types].xml\0\xff", "a zip archive or a spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a spreadsheet"),
        (gzip.compress(b"id", mtime=0), "compressed by gzip"),
        (b"PAR1\x15\0", "Parquet"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes, what: str, kind: str) -> None:
    with pytest.raises(UsageError, match=f"is not text but {what}"):
        text(tmp_path, content, f"sends.{kind}", kind)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "csv"), (b"\xef\xbb\xbf", "csv"), (b" \r\n\n", "csv"), (b"", "parquet"), (b"", "ndjson"),
        (b"\n \n", "ndjson"), (b"[]", "ndjson"), (b"[\n]\n", "ndjson"), (b"\n\xc2\xa0\n", "ndjson"),
    ],
)  # fmt: skip
def test_an_empty_file_has_no_rows_and_a_note(tmp_path: Path, content: bytes, kind: str) -> None:
    """One rule for every format: nothing is held back, and the plan says that the file is empty."""
    path = tmp_path / f"sends.{kind}"
    path.write_bytes(content)
    with building(
        tmp_path / "s", PUSHED["sends"], [Source(path, "sends", kind)], tmp_path / "w"
    ) as connection:
        found = connection.execute("SELECT notes, (SELECT count(*) FROM input) FROM files").fetchall()
    assert found == [([EMPTY], 0)]


@pytest.mark.parametrize(
    ("offer", "problem"),
    [
        ("269e0d37f2a74de452e6b438", None),
        ("269E0D37F2A74DE452E6B438", None),
        ("offer_abc123", "offer_id: must be 24 hexadecimal characters"),
        ("269e0d37f2a74de452e6b43", "offer_id: must be 24 hexadecimal characters"),
    ],
)
def test_offer_ids_are_hexadecimal(tmp_path: Path, offer: str, problem: str | None) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(f"message_id,offer_id,phone_number,timestamp\nm,{offer},+12000000000,2024-05-01\n")
    (row,) = load(path, "clicks")
    assert row["problem"] == problem


@pytest.mark.parametrize(
    ("name", "key"),
    [("sends", "id"), ("clicks", "message_id"), ("revenue", "record_id"), ("sends", "message")],
)
def test_what_people_write_where_there_is_nothing_is_no_key(tmp_path: Path, name: str, key: str) -> None:
    """A dash or a question mark stands for nothing; in a message it is what the message says."""
    path = tmp_path / "some.csv"
    path.write_text(f"{key}\n" + "".join(f"{one}\n" for one in ("-", "--", "?", "\u2014", "a-", "+")))
    problems = [row["problem"] for row in load_column(path, name, key)]
    wrong = None if key == "message" else f"{key}: has no letter and no digit"
    assert problems == [wrong] * 4 + [None] * 2


def test_a_header_whose_quote_does_not_close_is_refused(tmp_path: Path) -> None:
    """Its columns are not clear: the rest of the file would lose one in silence."""
    header = HEADER.replace("message", '"message')
    with pytest.raises(UsageError, match="a quote in its header line that is not closed"):
        text(tmp_path, f"{header}\n{LINE.format('m1', 'x')}\n")


def test_a_time_that_is_none_is_named_by_its_damage(tmp_path: Path) -> None:
    """Twelve hours, a zone's name and a local date are different mistakes, and an hour with Z is none of them."""
    times = {
        "2024-05-01 10:00 AM": "a clock of twelve hours (AM, PM)",
        "2024-05-01 10:00:00 p.m.": "a clock of twelve hours (AM, PM)",
        "05/01/2024 10:00 AM": "a date as a spreadsheet or a country writes it",
        "2024-05-01 10:00 PST": "the name of a time zone",
        "2024-05-01 10:00 A": "the name of a time zone",
        "2024-05-01T10Z": "must be a date and time in ISO 8601",
        "1714557600": "a number of seconds or days",
    }
    lines = [LINE.format(n, "x").replace("2024-05-01T10:00:00Z", time) for n, time in enumerate(times)]
    rows = text(tmp_path, "\n".join([HEADER, *lines]) + "\n")
    for row, why in zip(rows, times.values(), strict=True):
        assert row["problem"].startswith(f"timestamp: {why}"), row["problem"]


@pytest.mark.parametrize("other", ["inf", "nan"])
def test_a_float_that_is_no_number_costs_its_row_only(tmp_path: Path, other: str) -> None:
    """NaN and infinity beside numbers, in amounts and in whole numbers; a file's statistics leave NaN out."""
    odd = [5.5, float("nan"), float(other), 7.0]
    same = {"message_id": ["m"] * 4, "offer_id": ["269e0d37f2a74de452e6b438"] * 4}
    pq.write_table(pa.table({**same, "revenue": odd}), tmp_path / "revenue.parquet")
    rows = load(tmp_path / "revenue.parquet", "revenue", "parquet")
    assert [str(row["revenue"]) for row in rows if row["problem"] is None] == ["5.5000", "7.0000"]
    sends = {"id": ["a", "b", "c", "d"], "to_number": ["+12000000000"] * 4, "timestamp": ["2024-05-01"] * 4}
    pq.write_table(pa.table({**sends, "list_id": [100.0, *odd[1:]]}), tmp_path / "sends.parquet")
    rows = load(tmp_path / "sends.parquet", kind="parquet")
    assert [(row["id"], row["list_id"]) for row in rows if row["problem"] is None] == [("a", 100), ("d", 7)]


def test_a_line_that_is_no_record_is_known_by_nothing(tmp_path: Path) -> None:
    """Else all such lines of revenue would seem to be one row."""
    path = tmp_path / "revenue.ndjson"
    sale = '{"message_id":"m","offer_id":"269e0d37f2a74de452e6b438","revenue":1}'
    path.write_text(f"no json\n[]\n{sale}\n")
    known_by = [row["base"] for row in load(path, "revenue", "ndjson")]
    assert known_by[:2] == [None, None]
    assert known_by[2].startswith("content:")
