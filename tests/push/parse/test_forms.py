"""Files in the forms that people have: read as they are meant, or named with what is wrong."""

import json
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from staged import Row
from staged import load as rows_of

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.wrapped_json import refuse_wrapped
from pipelines.push.stage.database import building, in_order
from schemas.registry import PUSHED

SENDS = "id,to_number,timestamp,list_id\n"
GOOD = "m1,+15551234567,2024-05-01,1\n"


def load(path: Path) -> list[Row]:
    return rows_of(path, kind=path.suffix[1:])


def facts(path: Path, columns: str) -> tuple[Any, ...]:
    """What the stage keeps of a file."""
    source = Source(path, "sends", path.suffix[1:])
    with building(
        path.parent / "facts.duckdb", PUSHED["sends"], [source], path.parent / "none"
    ) as connection:
        (row,) = connection.execute(f"SELECT {columns} FROM files").fetchall()
    return tuple(row)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [("a,b,c", True), ("a,c,b", False), ("a,b,b", False), ("b,,a", False), ("a,,b", True), ("", True)],
)
def test_rows_in_order_are_recognized(tmp_path: Path, ids: str, expected: bool) -> None:
    """Rows that stand in the order of their ids are neither sorted nor searched for repeats; no others are."""
    path = tmp_path / "sends.csv"
    rows = [f"{name},+15551234567,2024-05-01,1\n" for name in ids.split(",") if ids]
    path.write_text(SENDS + "".join(rows), encoding="utf-8")
    source = Source(path, "sends", "csv")
    with building(tmp_path / "stage.duckdb", PUSHED["sends"], [source], tmp_path / "none") as connection:
        assert in_order(connection) is expected


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,phone,timestamp,list_id", "`phone` is not a field of sends; did you mean `to_number`?"),
        ("id,to_number,timestmp,list_id", "did you mean `timestamp`?"),
        ("id,timestamp,list_id", "lacks the column `to_number`"),
        ("id,id,to_number,timestamp", "has the column `id` more than once"),
    ],
)
def test_columns_that_do_not_fit_are_named(tmp_path: Path, header: str, words: str) -> None:
    """A missing, unknown or repeated column is named, with the file and a suggestion."""
    path = tmp_path / "sends.csv"
    path.write_text(header + "\n")
    with pytest.raises(UsageError) as caught:
        load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "sends.csv.duckdb").exists()


def test_unknown_fields_of_ndjson_are_named_wherever_they_stand(tmp_path: Path) -> None:
    """A field that is unknown is named although only the last line has it, with the field that it may mean."""
    path = tmp_path / "sends.ndjson"
    line = '{"id":"1","to_number":"+1","timestamp":"2024-05-01"}\n'
    path.write_text(line * 3 + '{"id":"1","body":"x"}\n')
    ignored, notes = facts(path, "ignored, notes")
    assert ignored == ["body"]
    assert "`body` is not a field of sends; did you mean `message`?" in notes


ROW = {"id": "1", "to_number": "+1", "timestamp": "2024-05-01", "list_id": 1}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("content", "where", "command"),
    [
        ({"total": 1, "data": [ROW]}, "one level down, under `data`", "jq -c '.data[]' "),
        ({"total": 1, "+1 555": [ROW]}, "one level down, under a key", ""),
        (
            {"response": {"data": [ROW]}},
            "two levels down, under `response.data`",
            "jq -c '.response.data[]' ",
        ),
        (
            {"errors": [{"code": "x"}], "a": {"b": {"c": [ROW]}}},
            "three levels down, under `a.b.c`",
            "'.a.b.c[]' ",
        ),
        ({"data": [{"key": 1}]}, "one level down, under `data`", "jq -c '.data[]' "),
    ],
)
def test_rows_within_an_object_are_named(
    tmp_path: Path, indent: int | None, content: dict[str, Any], where: str, command: str
) -> None:
    """A reply of an API has its rows under a key; the message says that, with a command that works as it stands."""
    path = tmp_path / "it's of sends.ndjson"
    path.write_text(json.dumps(content, indent=indent))
    with pytest.raises(UsageError) as caught:
        load(path)
    assert f"is one object; its rows are {where}." in caught.value.message
    assert ("jq" in caught.value.remedy) == bool(command)
    assert not command or caught.value.remedy.endswith(f"{command}{shlex.quote(str(path))}")


def test_objects_with_rows_may_stand_in_lines_and_be_compressed(tmp_path: Path) -> None:
    """A file of replies, one a line; a row whose fields have other names is no reply."""
    replies = f"{json.dumps({'data': [ROW]})}\n" * 2
    path = tmp_path / "sends.json.gz"
    with pytest.raises(UsageError, match="has objects in its lines; its rows are one level down") as caught:
        refuse_wrapped(replies, PUSHED["sends"], Source(path, "sends", "ndjson", "gzip"))
    assert caught.value.remedy.endswith(f": gzip -dc {path} | jq -c '.data[]'")
    other = tmp_path / "sends.ndjson"
    other.write_text('{"message_id": "1", "message": "x", "tags": [{"a": 1}]}\n' * 2)
    with pytest.raises(UsageError, match="lacks the column"):
        load(other)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"data": []}, "is one object and has no rows: the list under `data` is empty."),
        ({"response": {"data": []}}, "has no rows: the list under `response.data` is empty."),
        ({"errors": [], "data": []}, "is one object and has no rows."),
        ({"data": ["a"]}, "lacks the column"),
        ({"message": "x", "tags": []}, "lacks the column"),
    ],
)
def test_an_object_without_rows_is_named(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    """A reply of an API that had nothing to give is no file with wrong columns."""
    path = tmp_path / "sends.ndjson"
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError) as caught:
        load(path)
    assert words in caught.value.message


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_any_making(tmp_path: Path, ending: str, delimiter: str) -> None:
    """A BOM, either line ending, other delimiters and line breaks in quotes are read as they are meant."""
    path = tmp_path / "sends.csv"
    cells = (
        ["id", "to_number", "timestamp", "message"],
        ["1", "+15551234567", "2024-05-01", '"a\nb; ""c"", d"'],
    )
    text = ending.join(delimiter.join(row) for row in cells) + ending
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (row,) = load(path)
    assert (row["problem"], row["message"]) == (None, 'a\nb; "c", d')


def test_windows_1252_is_read_and_noted(tmp_path: Path) -> None:
    """A file that is not UTF-8 is read as Windows-1252, and a note says so."""
    path = tmp_path / "sends.csv"
    path.write_bytes(f"{SENDS[:-1]},message\n{GOOD[:-1]},caf\xe9\n".encode("latin-1"))
    (row,) = load(path)
    assert row["message"] == "caf\xe9"
    encoding, notes = facts(path, "encoding, notes")
    assert (encoding, notes) == ("Windows-1252", ["read as Windows-1252, since it is not UTF-8"])


@pytest.mark.parametrize(("name", "content"), [("sends.csv", SENDS), ("sends.ndjson", "")])
def test_no_rows_are_nothing_to_do(tmp_path: Path, name: str, content: str) -> None:
    """A file without rows is read as none."""
    (tmp_path / name).write_text(content)
    assert load(tmp_path / name) == []


def test_malformed_lines_are_rows_with_a_problem(tmp_path: Path) -> None:
    """A line of the wrong shape is kept, with its place and text, and the others are read."""
    path = tmp_path / "sends.csv"
    path.write_text(SENDS + GOOD + "m2,+15551234567\n" + "m3,+15551234567,2024-05-01,1,more\n" + GOOD)
    rows = load(path)
    problems = [row["problem"] for row in rows if row["problem"]]
    assert problems == ["not as many columns as the header"] * 2
    assert [row["line"] for row in rows] == [2, 3, 4, 5]
    path = tmp_path / "sends.ndjson"
    path.write_text('{"id":"1","to_number":"+1","timestamp":"2024-05-01"}\n\n{"id":\n[1]\n')
    assert [row["problem"] for row in load(path)] == [None, *["the line is not a JSON object"] * 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sends.parquet", b"PAR1 not really"),
        ("sends.sql", b"SELEKT 1"),
        ("sends.sql", b"SELECT 'caf\xe9' AS id"),
        ("sends.csv", b"\xff\xfei\0"),
        ("sends.csv", "\u041f\u0440\u0438\u0432\u0435\u0442".encode("cp1251")),
        ("sends.ndjson", b'[{"id":"1"},\n{"id":"2"}]'),
        ("sends.ndjson", b'[{"id":"1"},\n{"id":'),
    ],
)
def test_files_that_are_not_what_they_seem(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that cannot be read as what its name says is a usage error that names it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("sends.sql", "FROM 'nowhere.csv'", "No files found.*Correct it"),
        ("sends.sql", "SELECT CAST('x' || n AS INT) AS id, 1 AS to_number, 1 AS timestamp FROM range(2) t(n)",
         "TRY_CAST"),
        ("sends.ndjson", "[\n1\n]\n", "one object a line"),
    ],
)  # fmt: skip
def test_the_remedy_is_that_of_the_format(tmp_path: Path, name: str, content: str, words: str) -> None:
    """What is said of a file that cannot be read helps with a file of its kind."""
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(UsageError, match=words):
        load(tmp_path / name)


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    """Of files whose names match one another as patterns each is read as itself, in each format."""
    names = {"sends[1]": "a", "sends1": "b", "sends*": "c", "sends?": "d"}
    sources, wanted = [], []
    for ending in ("csv", "ndjson", "parquet"):
        for name, identity in names.items():
            row = {"id": f"{identity}-{ending}", "to_number": "+15551234567", "timestamp": "2024-05-01"}
            path = tmp_path / f"{name}.{ending}"
            if ending == "parquet":
                pq.write_table(pa.Table.from_pylist([row]), path)
            else:
                text = f"{','.join(row)}\n{','.join(row.values())}" if ending == "csv" else json.dumps(row)
                path.write_text(text + "\n")
            sources.append(Source(path, "sends", ending))
            wanted.append((len(wanted), row["id"]))
    with building(tmp_path / "stage.duckdb", PUSHED["sends"], sources, tmp_path / "none") as connection:
        assert connection.execute("SELECT file, id FROM input ORDER BY seq").fetchall() == wanted


def test_a_wrong_type_is_the_rows_problem(tmp_path: Path) -> None:
    """A value of the wrong type concerns its row only, and the row is kept as it was read."""
    path = tmp_path / "sends.csv"
    path.write_text(SENDS + "m1,+15551234567,soon,one\n" + GOOD)
    first, second = load(path)
    assert first["problem"] == (
        "timestamp: must be a date and time in ISO 8601; list_id: must be a whole number"
    )
    assert '"timestamp":"soon"' in str(first["raw"])
    assert (second["problem"], second["raw"]) == (None, None)
