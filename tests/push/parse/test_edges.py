"""Files at the edges of what is read: cut, wider than a block, of numbers that no machine holds."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from staged import HEADER, LINE, load, text

from pipelines.errors import UsageError
from pipelines.push.parse.records import BATCH_ROWS
from pipelines.push.parse.text import MAX_LINE, _Encoding

ROW = LINE.format("m1", "Hi")
NDJSON = '{"id": "m1", "to_number": "+12000000000", "timestamp": "2024-05-01T10:00:00Z", "list_id": 100}'


@pytest.mark.parametrize("line", ["sep=\t", '"sep=\t"'])
def test_a_line_that_names_the_tab(tmp_path: Path, line: str) -> None:
    """As a spreadsheet writes it; it is no header."""
    content = "\n".join([line, HEADER.replace(",", "\t"), ROW.replace(",", "\t"), ""])
    (row,) = text(tmp_path, content)
    assert (row["id"], row["list_id"], row["problem"], row["line"]) == ("m1", 100, None, 3)


def test_delimiters_alone_are_no_header(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no header line"):
        text(tmp_path, ",,,\n;;\n")


def test_a_row_that_lacks_cells_behind_the_last_name_is_whole(tmp_path: Path) -> None:
    """Columns without a name at the end of the header, and rows with none, some or all of their cells."""
    rows = [ROW, f"{LINE.format('m2', 'Hi')},", f"{LINE.format('m3', 'Hi')},,", LINE.format("m4", '"a"" b"')]
    found = text(tmp_path, "\n".join([f"{HEADER},,", *rows, ""]))
    assert [(row["id"], row["problem"]) for row in found] == [(f"m{number}", None) for number in range(1, 5)]


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_line_without_end_is_refused_in_any_encoding(tmp_path: Path, kind: str) -> None:
    """Of two bytes a character its length is known only while it is read."""
    begin = f"{HEADER}\n" if kind == "csv" else '{"id": "'
    content = (begin + "x" * MAX_LINE).encode("utf-16")
    with pytest.raises(UsageError, match="line"):
        text(tmp_path, content, kind=kind)


def test_half_a_character_at_the_end_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not UTF-16 to its end\. Export it again, as UTF-8"):
        text(tmp_path, f"{HEADER}\n{ROW}\n".encode("utf-16") + b"x")


def test_a_cut_zstd_is_named(tmp_path: Path) -> None:
    content = pa.compress(f"{HEADER}\n{ROW}\n".encode() * 1_000, codec="zstd", asbytes=True)
    for cut in (content[:-9], content[:8] + b"\xff" * 40):
        (tmp_path / "sends.csv.zst").write_bytes(cut)
        with pytest.raises(UsageError, match=r"sends.csv.zst is .* nothing of it was taken in"):
            load(tmp_path / "sends.csv.zst", compression="zstd")


@pytest.mark.parametrize("end", ["", ",", ",\n", "\n"])
def test_an_array_without_its_end_is_cut(tmp_path: Path, end: str) -> None:
    """Its writer stopped between two rows, so that all that is there reads well; whole ones may stand in a row."""
    whole = f"[{NDJSON},\n{NDJSON}]"
    assert len(text(tmp_path, f"{whole}\n{whole}{end}", kind="ndjson")) == 4
    for before in ("", f"{whole}\n"):
        with pytest.raises(
            UsageError, match=r"is cut short: its array has no end\..* nothing of it was taken"
        ):
            text(tmp_path, f"{before}[{NDJSON},\n{NDJSON}{end}", kind="ndjson")


def test_a_character_across_two_blocks_is_one() -> None:
    found = _Encoding()
    for block in (b"abc\xc3", b"\xa9", b"abc"):
        found.add(block)
    assert found.found() == ("utf-8", "UTF-8", False)


@pytest.mark.parametrize(
    "broken", ['{"id": }', '{"id": 1e5000000000}', '{"id": "m2", "list_id": 1' + "0" * 400 + "}"]
)
def test_a_line_that_no_machine_reads_costs_its_row_only(tmp_path: Path, broken: str) -> None:
    found = text(tmp_path, f"{NDJSON}\n{broken}\n", "sends.ndjson", "ndjson")
    assert [row["problem"] is None for row in found] == [True, False]


def test_an_amount_beyond_all_measure_is_a_problem_of_its_row(tmp_path: Path) -> None:
    sale = {"message_id": "m1", "offer_id": "269e0d37f2a74de452e6b438"}
    line = json.dumps(sale)[:-1] + ', "revenue": 1e99999999999999999999}'
    path = tmp_path / "revenue.ndjson"
    path.write_text(f"{line}\n")
    (row,) = load(path, "revenue", "ndjson")
    assert "revenue" in row["problem"]


def test_an_array_of_many_records_comes_in_batches(tmp_path: Path) -> None:
    records = [NDJSON.replace("m1", f"m{number}") for number in range(BATCH_ROWS + 1)]
    found = text(tmp_path, f"[{', '.join(records)}]", "sends.json", "ndjson")
    assert [row["id"] for row in found] == [f"m{number}" for number in range(BATCH_ROWS + 1)]
