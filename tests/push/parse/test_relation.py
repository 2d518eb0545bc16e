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
from staged import HEADER, LINE, Row, load, text

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.stage.database import building
from pipelines.push.values.formats import GUARDED, NULL_WORDS, WHITE
from schemas.registry import PUSHED
from schemas.values.instants import parse_instant

_DAY = "(19|20|21)[0-9]{2}-?[01][0-9]-?[0-3][0-9]"
_CLOCK = "[0-2][0-9]:?[0-6][0-9](:?[0-6][0-9]([.,][0-9]{1,9})?)?"
_ZONE = "( ?([Zz]|UTC|GMT|[+-][012][0-9](:?[0-6][0-9])?))?"

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
MESSAGES = st.one_of(TEXTS, st.text("ab,;|'\"\\\r\n\t =+N", max_size=30))


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


@settings(max_examples=examples(4))  # each is two files of up to thirty messages
@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=30), form=st.sampled_from(["lines", "array", "indented"])
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


TIMES = st.from_regex(f"{_DAY}([T ]{_CLOCK}{_ZONE})?", fullmatch=True)


@settings(max_examples=examples(3))  # each is a file of up to thirty times
@given(st.lists(TIMES, min_size=10, max_size=30))
def test_times_are_those_of_the_one_grammar(
    tmp_path_factory: pytest.TempPathFactory, times: list[str]
) -> None:
    """SQL reads a time as `parse_instant` does, between 2000 and tomorrow."""
    lines = [f'm{n},+12000000000,"{written}",100,Hi,x' for n, written in enumerate(times)]
    found = text(tmp_path_factory.mktemp("time"), "\n".join([HEADER, *lines]) + "\n")
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    for row, written in zip(found, times, strict=True):
        expected = parse_instant(written)
        if expected is not None and not datetime(2000, 1, 1, tzinfo=UTC) <= expected < last:
            expected = None
        assert row["timestamp"] == expected
        assert (row["problem"] is None) == (expected is not None)


def test_floats_are_the_decimal_that_they_stand_for(tmp_path: Path) -> None:
    """A double in JSON or Parquet is taken where it is a decimal of 4 places, apart from the noise of doubles."""
    wanted = {
        0.1 + 0.2: "0.3000",
        24.9: "24.9000",
        1e3: "1000.0000",
        12.34567: "None",
        0.1000000000001: "None",
        1e11: "None",
        float("inf"): "None",
    }
    rows = [{"message_id": f"m{n}", "offer_id": "0" * 24, "revenue": value} for n, value in enumerate(wanted)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "revenue.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:3]), tmp_path / "good.parquet")
    finite = "".join(json.dumps(row) + "\n" for row in rows[:-1])  # Python writes Infinity, which is no JSON
    (tmp_path / "revenue.ndjson").write_text(finite)
    for name in ("revenue.parquet", "good.parquet", "revenue.ndjson"):
        path = tmp_path / name
        for row, amount in zip(load(path, "revenue", path.suffix[1:]), wanted.values(), strict=False):
            assert str(row["revenue"]) == amount, (name, row)
            assert (row["problem"] is None) == (amount != "None"), (name, row)


def test_line_breaks_in_quotes_are_part_of_the_message(tmp_path: Path) -> None:
    """A message of several lines with commas is read whole, and its place is its lines."""
    message = "a, b,\r\nc, d, e, f, g"
    lines = [HEADER, LINE.format("m1", f'"{message}"'), LINE.format("m2", "x")]
    (row, after) = text(tmp_path, "\n".join(lines) + "\n")
    assert (row["problem"], row["message"]) == (None, message)
    assert (row["line"], row["last_line"], after["line"]) == (2, 3, 4)


def test_joined_exports_are_read_and_other_headers_refused(tmp_path: Path) -> None:
    """A header in the middle is skipped where it is the same, and refused where its columns stand otherwise."""
    row = LINE.format("m1", "Hi")
    rows = text(tmp_path, f"{HEADER}\n{row}\n\ufeff{HEADER}\r\n{LINE.format('m2', 'Hi')}\r\n")
    assert [(row["id"], row["problem"]) for row in rows] == [("m1", None), ("m2", None)]
    with pytest.raises(UsageError, match="second header in line 3"):
        text(tmp_path, f"{HEADER}\n{row}\nto_number,id,timestamp,list_id,message,send_type\n")


def test_zstd_is_read(tmp_path: Path) -> None:
    """A file that zstd has compressed is read like any other."""
    path = tmp_path / "sends.csv.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(f"{HEADER}\n{LINE.format('m1', 'Hi')}\n".encode())
    assert [row["id"] for row in load(path, compression="zstd")] == ["m1"]


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


def test_single_quotes_round_the_names_of_the_header_are_seen(tmp_path: Path) -> None:
    """Names and values in single quotes, a quote in a text doubled, a comma in another."""
    names = ",".join(f"'{name}'" for name in HEADER.split(","))
    line = "'{}','+12000000000','2024-05-01','100','{}','campaign'"
    rows = text(tmp_path, "\n".join([names, line.format("m1", "it''s, ok"), line.format("m2", "x")]) + "\n")
    assert [(row["id"], row["message"]) for row in rows] == [("m1", "it's, ok"), ("m2", "x")]


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
