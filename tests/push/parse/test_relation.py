"""Files of any making: what is written arrives exactly as it was written, or is held back; nothing else."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.facts import EMPTY
from pipelines.push.stage.database import building, read
from pipelines.push.values.formats import GUARDED, NULL_WORDS, WHITE
from schemas.registry import PUSHED
from schemas.values.instants import parse_instant

Row = dict[str, Any]

_DAY = "(19|20|21)[0-9]{2}-?[01][0-9]-?[0-3][0-9]"
_CLOCK = "[0-2][0-9]:?[0-6][0-9](:?[0-6][0-9]([.,][0-9]{1,9})?)?"
_ZONE = "( ?([Zz]|UTC|GMT|[+-][012][0-9](:?[0-6][0-9])?))?"

HEADER = "id,to_number,timestamp,list_id,message,send_type"
LINE = "{},+12000000000,2024-05-01T10:00:00Z,100,{},campaign"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
MESSAGES = st.one_of(TEXTS, st.text("ab,;|'\"\\\r\n\t =+N", max_size=30))


def load(path: Path, dataset: str = "sends", kind: str = "csv", compression: str = "") -> list[Row]:
    """The rows of a file, as the stage has them."""
    source = Source(path, dataset, kind, compression)
    stage = path.parent / f"{path.name}.duckdb"
    with building(stage, PUSHED[dataset], [source], path.parent / "none") as connection:
        return [
            row for batch in read(connection, "SELECT * FROM input ORDER BY seq") for row in batch.to_pylist()
        ]


def text(folder: Path, content: str | bytes, name: str = "sends.csv", kind: str = "csv") -> list[Row]:
    """The rows of a text."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load(path, kind=kind)


def meant(message: str) -> str | None:
    """What of a message is sent: no word for null, and no spreadsheet's guard."""
    if not message or message.strip(WHITE).lower() in NULL_WORDS:
        return None
    if message[0] == "'" and message[1:2] and message[1] in GUARDED and message[-1] != "'":
        return message[1:]
    if len(message) > 2 and message[:2] == '="' and message[-1] == '"' and '"' not in message[2:-1]:
        return message[2:-1] or None
    return message


def held_or_exact(rows: list[Row], messages: list[str]) -> None:
    """Every row that is not held back has the message of its id."""
    for row in rows:
        if row["problem"] is None:
            assert row["message"] == meant(messages[int(row["id"][1:])])


@settings(max_examples=examples(12))
@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    packed=st.booleans(),
)
def test_delimited_text_arrives_as_written(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[str],
    delimiter: str,
    ending: str,
    quoting: Any,
    encoding: str,
    packed: bool,
) -> None:
    """Whatever a message holds, and in whichever dialect and encoding, it arrives as it was, or not at all."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(HEADER.split(","))
    for number, message in enumerate(messages):
        writer.writerow([f"m{number}", "+12000000000", "2024-05-01", 100, message, "campaign"])
    content = stream.getvalue().encode(encoding)
    path = tmp_path_factory.mktemp("csv") / "sends.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = load(path, compression="gzip" if packed else "")
    held_or_exact(rows, messages)
    assert len(rows) >= len(messages)


@settings(max_examples=examples(10))
@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=6), form=st.sampled_from(["lines", "array", "indented"])
)
def test_json_arrives_as_written(
    tmp_path_factory: pytest.TempPathFactory, messages: list[str], form: str
) -> None:
    """The same of objects, one a line or in an array, and of Parquet; there every row is read."""
    rows = [
        {
            "ID": f"m{n}",
            "to_number": "+12000000000",
            "timestamp": "2024-05-01",
            "list_id": 100,
            "message": message,
        }
        for n, message in enumerate(messages)
    ]
    content = (
        "\n".join(map(json.dumps, rows))
        if form == "lines"
        else json.dumps(rows, indent=form == "indented" or None)
    )
    folder = tmp_path_factory.mktemp("json")
    found = text(folder, content, "sends.json", "ndjson")
    pq.write_table(pa.Table.from_pylist(rows), folder / "sends.parquet")
    for loaded in (found, load(folder / "sends.parquet", kind="parquet")):
        assert [row["problem"] for row in loaded] == [None] * len(messages)
        held_or_exact(loaded, messages)


@settings(max_examples=examples(20))
@given(st.from_regex(f"{_DAY}([T ]{_CLOCK}{_ZONE})?", fullmatch=True))
def test_times_are_those_of_the_one_grammar(tmp_path_factory: pytest.TempPathFactory, written: str) -> None:
    """SQL reads a time as `parse_instant` does, between 2000 and tomorrow."""
    (row,) = text(tmp_path_factory.mktemp("time"), f'{HEADER}\nm1,+12000000000,"{written}",100,Hi,x\n')
    expected = parse_instant(written)
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    if expected is not None and not datetime(2000, 1, 1, tzinfo=UTC) <= expected < last:
        expected = None
    assert row["timestamp"] == expected
    assert (row["problem"] is None) == (expected is not None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, "0.3000"),
        (24.9, "24.9000"),
        (1e3, "1000.0000"),
        (12.34567, None),
        (0.1000000000001, None),
        (float("inf"), None),
        (1e11, None),
    ],
)
def test_floats_are_the_decimal_that_they_stand_for(
    tmp_path: Path, value: float, expected: str | None
) -> None:
    """A double in JSON or Parquet is taken where it is a decimal of 4 places, the noise of doubles aside."""
    row = {"message_id": "m", "offer_id": "0" * 24, "revenue": value}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "revenue.parquet")
    (tmp_path / "revenue.ndjson").write_text(json.dumps(row) + "\n")
    if value == float("inf"):  # Python writes Infinity, which is no JSON
        found = [load(tmp_path / "revenue.parquet", "revenue", "parquet")]
    else:
        found = [load(tmp_path / f"revenue.{kind}", "revenue", kind) for kind in ("parquet", "ndjson")]
    for (loaded,) in found:
        assert (str(loaded["revenue"]) if loaded["revenue"] is not None else None) == expected
        assert (loaded["problem"] is None) == (expected is not None)


def test_a_quote_that_never_closes_counts_every_line(tmp_path: Path) -> None:
    """All lines up to the end of the file are rows that are left out, with the first and the last of them."""
    lines = [LINE.format(f"m{n}", '"Sale' if n == 1 else "Hi") for n in range(500)]
    rows = text(tmp_path, "\n".join([HEADER, *lines]) + "\n")
    assert len(rows) == 500
    assert [row["problem"] is None for row in rows] == [True] + [False] * 499
    assert (rows[1]["line"], rows[1]["last_line"]) == (3, 501)
    assert rows[1]["problem"].startswith("lines 3 to 501: a quote is not closed")


def test_rows_inside_a_text_are_not_swallowed(tmp_path: Path) -> None:
    """Two stray quotes that make one valid record of three rows hold all three back."""
    lines = [LINE.format("m1", '"Sale now'), LINE.format("m2", "Hi"), LINE.format("m3", 'Only 12"')]
    rows = text(tmp_path, "\n".join([HEADER, *lines, LINE.format("m4", "Hi")]) + "\n")
    assert [row["problem"] is None for row in rows] == [False, False, False, True]


def test_line_breaks_in_quotes_are_part_of_the_message(tmp_path: Path) -> None:
    """A message of several lines with commas is read whole, and its place is its lines."""
    message = "a, b,\r\nc, d, e, f, g"
    lines = [HEADER, LINE.format("m1", f'"{message}"'), LINE.format("m2", "x")]
    (row, after) = text(tmp_path, "\n".join(lines) + "\n")
    assert (row["problem"], row["message"]) == (None, message)
    assert (row["line"], row["last_line"], after["line"]) == (2, 3, 4)


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


def test_joined_exports_are_read_and_other_headers_refused(tmp_path: Path) -> None:
    """A header in the middle is skipped where it is the same, and refused where its columns stand otherwise."""
    row = LINE.format("m1", "Hi")
    rows = text(tmp_path, f"{HEADER}\n{row}\n\ufeff{HEADER}\r\n{LINE.format('m2', 'Hi')}\r\n")
    assert [(row["id"], row["problem"]) for row in rows] == [("m1", None), ("m2", None)]
    with pytest.raises(UsageError, match="second header in line 3"):
        text(tmp_path, f"{HEADER}\n{row}\nto_number,id,timestamp,list_id,message,send_type\n")


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    """A compressed file that is cut short, or is none, is a usage error that says so."""
    whole = gzip.compress("\n".join([HEADER, *(LINE.format(f"m{n}", "Hi") for n in range(5_000))]).encode())
    path = tmp_path / "sends.csv.gz"
    for content, words in ((whole[:-200], "is cut short"), (b"id,to_number\n", "is not gzip data")):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            load(path, compression="gzip")


def test_zstd_is_read(tmp_path: Path) -> None:
    """A file that zstd has compressed is read like any other."""
    path = tmp_path / "sends.csv.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(f"{HEADER}\n{LINE.format('m1', 'Hi')}\n".encode())
    assert [row["id"] for row in load(path, compression="zstd")] == ["m1"]


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
    first = rows[1]
    assert first["line"] == 3
    assert first["last_line"] > 5000
    assert first["problem"].startswith(f"lines 3 to {first['last_line']}: a quote is not closed")


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
        (b"\n \n", "ndjson"), (b"[]", "ndjson"), (b"[\n]\n", "ndjson"),
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
    ("ends", "noted"),
    [
        (("\r\n", "\n", "\r\n"), False),
        (("\n", "\r\n", "\n"), False),
        (("\r", "\n", "\r"), False),
        (("\n", "\n", "\r\n"), True),
        (("\r\n", "\r\n", "\r"), True),
    ],
)
def test_line_ends_inside_a_text_are_no_line_ends_of_the_file(
    tmp_path: Path, ends: tuple[str, str, str], noted: bool
) -> None:
    """A spreadsheet ends its records with CRLF and breaks lines in a cell with LF: nothing is mixed there."""
    header, inside, last = ends
    path = tmp_path / "sends.csv"
    row = LINE.format("m1", f'"one{inside}""two"""')
    path.write_bytes(f"{HEADER}{header}{row}{last}{LINE.format('m2', 'x')}{last}".encode())
    with building(
        tmp_path / "s", PUSHED["sends"], [Source(path, "sends", "csv")], tmp_path / "w"
    ) as connection:
        ((notes, rows),) = connection.execute(
            "SELECT notes, (SELECT count(*) FROM input) FROM files"
        ).fetchall()
    assert (any("line ends" in note for note in notes), rows) == (noted, 2)


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


def load_column(path: Path, dataset: str, column: str) -> list[Row]:
    """Rows of a file of one column, in which the other ones that are needed are the same everywhere."""
    others = {
        "id": "x", "message_id": "x", "to_number": "+12000000000", "phone_number": "+12000000000",
        "timestamp": "2024-05-01", "offer_id": "269e0d37f2a74de452e6b438", "revenue": "5",
    }  # fmt: skip
    needed = [name for name in PUSHED[dataset].columns if name in others and name != column]
    header, *values = path.read_text().splitlines()
    lines = [
        ",".join([header, *needed]),
        *(",".join([value, *(others[name] for name in needed)]) for value in values),
    ]
    path.write_text("\n".join(lines) + "\n")
    return load(path, dataset)


def test_single_quotes_round_the_names_of_the_header_are_seen(tmp_path: Path) -> None:
    """Names and values in single quotes, a quote in a text doubled, a comma in another."""
    names = ",".join(f"'{name}'" for name in HEADER.split(","))
    line = "'{}','+12000000000','2024-05-01','100','{}','campaign'"
    rows = text(tmp_path, "\n".join([names, line.format("m1", "it''s, ok"), line.format("m2", "x")]) + "\n")
    assert [(row["id"], row["message"]) for row in rows] == [("m1", "it's, ok"), ("m2", "x")]


def test_a_header_whose_quote_does_not_close_is_refused(tmp_path: Path) -> None:
    """Its columns cannot be told: the rest of the file would lose one in silence."""
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


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_of_parquet_are_read_in_every_unit(tmp_path: Path, unit: str, zone: str | None) -> None:
    """With a zone and without; pandas writes those of nanoseconds."""
    times = (
        pa.array([1_714_557_600], pa.timestamp("s")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
    )
    columns = {"id": ["a"], "to_number": ["+12000000000"], "timestamp": times, "list_id": [100]}
    pq.write_table(pa.table(columns), tmp_path / "sends.parquet")
    (row,) = load(tmp_path / "sends.parquet", kind="parquet")
    assert (row["problem"], row["timestamp"]) == (None, datetime(2024, 5, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("[\n%s,\n%s\n]", [2, 3]),
        ("[%s,\n\n%s]", [1, 3]),
        ("\n \n[%s,\n%s]\n", [3, 4]),
        ("{\n%s\n%s", [1, 4]),
        ("\n%s\n\n%s\n", [2, 4]),
    ],
)
def test_records_of_json_are_named_by_their_lines(tmp_path: Path, content: str, lines: list[int]) -> None:
    """In an array, in objects over several lines, and with one object a line."""
    one = '{"id":"a","to_number":"+12000000000","timestamp":"2024-05-01","list_id":100}'
    whole = content % (one[1:].replace('",', '",\n', 1) if content[0] == "{" else one, one)
    assert [row["line"] for row in text(tmp_path, whole, "sends.json", "ndjson")] == lines
