"""The delimiter and the quote are judged by all of a file, and what speaks against them is reported."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.push.files.find import Source
from pipelines.push.parse.delimited.reader import SPACED, read_delimited
from pipelines.push.parse.delimited.row_fit import MISFIT
from pipelines.push.parse.facts import Facts
from pipelines.push.parse.records import numbered
from schemas.registry import PUSHED

SENDS = PUSHED["sends"]
HEADER = "id,to_number,timestamp,list_id,message"
PLAIN = "a{},+12000000000,2024-05-01T10:00:00Z,100,{}"
MANY, LONG = 4_500, "x" * 300
"""Rows, and a part of their ids, that are more than any first look at a file sees."""
FAR = [PLAIN.format(f"{LONG}{number}", "") for number in range(MANY)]


def read(
    path: Path, lines: Sequence[str], *, header: str = HEADER
) -> tuple[list[dict[str, str | None]], Facts]:
    """The rows of a file, and what was found in it."""
    content = "\n".join([header, *lines, ""]).encode()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    facts = Facts()
    source = Source(path, "sends", "csv", "gzip" if path.suffix == ".gz" else "")
    batches = numbered(read_delimited(SENDS, source, facts))
    return [row for batch in batches for row in batch.slice(max(len(batch) - 9, 0)).to_pylist()], facts


@pytest.mark.parametrize("name", ["sends.csv", "sends.csv.gz"])
@pytest.mark.parametrize("before", [[], FAR], ids=["near", "far"])
def test_texts_in_single_quotes_wherever_they_begin(tmp_path: Path, before: list[str], name: str) -> None:
    rows, facts = read(tmp_path / name, [*before, PLAIN.format("x", "'Hi, you'"), PLAIN.format("y", "'Hi'")])
    assert facts.dialect == "comma, single quotes"
    assert [row["message"] for row in rows[-2:]] == ["Hi, you", "Hi"]
    assert not facts.notes


@pytest.mark.parametrize("before", [[], FAR], ids=["near", "far"])
def test_a_text_without_quotes_far_below_speaks_against_single_ones(
    tmp_path: Path, before: list[str]
) -> None:
    """Then the quotes are part of the texts, and the plan says so."""
    quoted = [PLAIN.format(number, "'Hi'") for number in range(3)]
    rows, facts = read(tmp_path / "sends.csv", [*quoted, *before, PLAIN.format("y", "Hi")])
    assert facts.dialect == "comma, double quotes"
    assert rows[-1]["message"] == "Hi"
    assert facts.notes == ["message: 3 of 4 texts are in single quotes, which count as part of the text"]


def test_single_quotes_that_nothing_needs_are_part_of_the_texts(tmp_path: Path) -> None:
    rows, facts = read(tmp_path / "sends.csv", [PLAIN.format(number, "'Hi'") for number in range(3)])
    assert facts.dialect == "comma, double quotes"
    assert [row["message"] for row in rows] == ["'Hi'"] * 3
    assert facts.notes == ["message: 3 of 3 texts are in single quotes, which count as part of the text"]


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        ([PLAIN.format(1, "'it''s'"), PLAIN.format(2, "'Hi'")], ["it's", "Hi"]),
        ([f"'{PLAIN.format(n, 'Hi')}'".replace(",", "','") for n in (1, 2)], ["Hi", "Hi"]),
    ],
    ids=["a doubled quote", "a time"],
)
def test_what_needs_single_quotes_speaks_for_them(
    tmp_path: Path, lines: list[str], messages: list[str]
) -> None:
    rows, facts = read(tmp_path / "sends.csv", lines)
    assert facts.dialect == "comma, single quotes"
    assert [row["message"] for row in rows] == messages


def test_an_apostrophe_that_opens_one_text_says_nothing(tmp_path: Path) -> None:
    rows, facts = read(
        tmp_path / "sends.csv", [*FAR, PLAIN.format("y", "'tis the season"), PLAIN.format("z", "Hi")]
    )
    assert facts.dialect == "comma, double quotes"
    assert rows[-2]["message"] == "'tis the season"
    assert not facts.notes


def test_double_quotes_anywhere_rule_single_ones_out(tmp_path: Path) -> None:
    rows, facts = read(
        tmp_path / "sends.csv", [PLAIN.format(1, "'a'"), *FAR, PLAIN.format("y", "\"Hi, 'you'\"")]
    )
    assert facts.dialect == "comma, double quotes"
    assert rows[-1]["message"] == "Hi, 'you'"


def test_an_apostrophe_against_single_quotes_holds_its_lines_back(tmp_path: Path) -> None:
    """A quote that is not closed is a line that cannot be read, however many came before it."""
    lines = [PLAIN.format(f"{LONG}{number}", f"'Hi, {number}'") for number in range(MANY)]
    rows, facts = read(tmp_path / "sends.csv", [*lines, PLAIN.format("y", "'it''s, me' she said"), lines[0]])
    assert facts.dialect == "comma, single quotes"
    assert [row["problem"] is None for row in rows[-3:]] == [True, False, True]


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_lines_of_another_delimiter_are_held_back_and_say_so(
    tmp_path: Path, delimiter: str, name: str
) -> None:
    odd = PLAIN.format("y", "Hi").replace(",", delimiter)
    rows, facts = read(tmp_path / "sends.csv", [*FAR, odd, PLAIN.format("z", "Hi"), "what is this"])
    assert facts.dialect == "comma, double quotes"
    problems = [row["problem"] for row in rows[-3:]]
    assert problems == [f"{MISFIT}; it seems to be delimited by {name}, unlike the file", None, MISFIT]


@pytest.mark.parametrize("last", [PLAIN.format("z", "Hi"), PLAIN.replace(",", ", ").format("z", "Hi")])
def test_a_space_after_each_delimiter_is_judged_by_the_whole_file(tmp_path: Path, last: str) -> None:
    """One line without, however far below, speaks against it: what is in quotes after a space is not clear then."""
    spaced = [PLAIN.replace(",", ", ").format(f"{LONG}{number}", '"Hi, you"') for number in range(MANY)]
    quoted = PLAIN.replace(",", ", ").format("q", '"Hi"')
    rows, facts = read(tmp_path / "sends.csv", [*spaced, quoted, last])
    is_spaced = last.count(" ") > 0
    assert ("a space after each delimiter" in facts.dialect) == is_spaced
    held, kept = rows[-2:]
    assert (held["problem"], held["message"]) == ((None, "Hi") if is_spaced else (SPACED, None))
    assert (kept["problem"], kept["message"]) == (None, "Hi")


def test_a_text_that_begins_with_a_space_and_a_quote_is_kept(tmp_path: Path) -> None:
    """Where its own quotes say so; nothing is taken for a space after a delimiter then."""
    texts = {'" ""Hi"""': ' "Hi"', '"say, ""x"", "': 'say, "x", ', '" a, ""y"""': ' a, "y"'}
    rows, _ = read(tmp_path / "sends.csv", [PLAIN.format(n, text) for n, text in enumerate(texts)])
    assert [(row["problem"], row["message"]) for row in rows] == [(None, text) for text in texts.values()]
