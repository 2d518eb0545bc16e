"""A delimiter behind the last column is dropped only where every line has it; else it may be part of a text."""

from pathlib import Path

import pytest

from pipelines.push.files.find import Source
from pipelines.push.parse.delimited.reader import read_delimited
from pipelines.push.parse.delimited.row_fit import TRAILING
from pipelines.push.parse.facts import Facts
from pipelines.push.parse.records import numbered
from schemas.registry import PUSHED

HEADER = "id,to_number,timestamp,list_id,message"
ROW = "a{},+12000000000,2024-05-01T10:00:00Z,100,{}"


def read(path: Path, *messages: str, header: str = HEADER) -> list[tuple[str | None, str | None]]:
    """The message and the problem of each row."""
    lines = [header, *(ROW.format(*pair) for pair in enumerate(messages)), ""]
    path.write_text("\n".join(lines))
    batches = numbered(read_delimited(PUSHED["sends"], Source(path, "sends", "csv", ""), Facts()))
    return [(row["message"], row["problem"]) for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("text", ["Hi,", "Hi,,", "Hi, "])
def test_a_comma_behind_one_text_holds_its_row_back(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "a.csv", "Hi", text, "Ho") == [("Hi", None), (None, TRAILING), ("Ho", None)]


@pytest.mark.parametrize("tail", [",", ",,", ", "])
def test_delimiters_behind_every_line_are_dropped(tmp_path: Path, tail: str) -> None:
    assert read(tmp_path / "a.csv", f"Hi{tail}", f"Ho{tail}") == [("Hi", None), ("Ho", None)]


def test_another_number_of_them_than_the_header_or_the_others_have(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "Hi,", "Ho,,", header=f"{HEADER},") == [("Hi", None), (None, TRAILING)]
    assert read(tmp_path / "b.csv", "Hi,", "Ho,,") == [(None, TRAILING), (None, TRAILING)]


def test_a_line_far_below_counts(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", *["Hi,"] * 25_000, "Ho")
    assert found[-2:] == [(None, TRAILING), ("Ho", None)]
