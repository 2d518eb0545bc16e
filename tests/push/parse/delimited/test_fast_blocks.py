"""Files read as columns, block by block, hold the same rows as when each record is read with care."""

import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.delimited.reader import read_delimited
from pipelines.push.parse.facts import Facts
from pipelines.push.parse.records import Columnar, numbered
from schemas.registry import PUSHED

CLICKS = PUSHED["clicks"]
HEADER = ["message_id", "timestamp", "offer_id", "phone_number", "ignored"]

cells = st.text(st.sampled_from("ab1 ,;\t|\"'\\\n\r\u00e9\u2028\ufeff\0-"), max_size=6)
telling = st.sampled_from(["+12000000000", "2024-05-01T10:00:00Z", "message_id", "MESSAGE_ID", "", "x"])
rows = st.lists(st.lists(cells | telling, min_size=4, max_size=6), max_size=12)
lines = st.lists(st.text(st.sampled_from('a,,,,"\n\r\\\u00e9 '), max_size=14), max_size=12)


def read(content: bytes, block: int, name: str = "clicks.csv") -> tuple[pa.Table, Facts, int]:
    """All rows of a file, what was found in it, and how many were read as columns."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        facts = Facts()
        source = Source(path, "clicks", "csv", "gzip" if name.endswith(".gz") else "")
        batches = list(read_delimited(CLICKS, source, facts, block))
    whole = sum(len(batch) for batch in batches if isinstance(batch, Columnar))
    return (
        pa.Table.from_batches(list(numbered(iter(batches)))) if any(map(len, batches)) else None,
        facts,
        whole,
    )


def read_or_refused(content: bytes, block: int, name: str) -> tuple[pa.Table, Facts, int] | str:
    """The same, or why a file is refused as a whole, without its path."""
    try:
        return read(content, block, name)
    except UsageError as error:
        return str(error).partition(" ")[2]


def same_both_ways(content: bytes, block: int, name: str = "clicks.csv") -> int:
    """Hold both ways together; how many rows were read as columns."""
    one, other = (read_or_refused(content, size, name) for size in (0, block))
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return 0
    (careful, expected, none), (quick, found, whole) = one, other
    assert none == 0
    assert (quick and quick.to_pylist()) == (careful and careful.to_pylist())
    assert found == expected
    return whole


def written(table: list[list[str]], delimiter: str, end: str, *, all_quoted: bool) -> str:
    """A file as csv.writer makes it."""
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([HEADER, *table])
    return out.getvalue()


@settings(max_examples=examples(60), deadline=None)
@given(
    rows, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.integers(1, 200)
)
def test_well_written_files(
    table: list[list[str]], delimiter: str, end: str, all_quoted: bool, block: int
) -> None:
    same_both_ways(written(table, delimiter, end, all_quoted=all_quoted).encode(), block)


@settings(max_examples=examples(60), deadline=None)
@given(lines, st.integers(1, 60))
@example(['a,b,"c', "d,e,f", '",x'], 1)
@example(['a,b,"', '+12000000000,2024-05-01T10:00:00Z,"', "a,b,c"], 9)
@example(['"a"b,c,d', '""a,c,d', 'a,"b""c",d', '"a"",b,c', "a,b,c"], 5)
def test_any_lines(table: list[str], block: int) -> None:
    same_both_ways("\n".join([",".join(HEADER), *table]).encode(), block)


@settings(max_examples=examples(30), deadline=None)
@given(rows, st.sampled_from(["utf-8-sig", "utf-16", "cp1252"]), st.integers(1, 200))
def test_other_encodings(table: list[list[str]], encoding: str, block: int) -> None:
    text = written(table, ",", "\n", all_quoted=False)
    same_both_ways(text.encode(encoding, "replace"), block)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("all_quoted", [True, False])
def test_regular_files_are_read_as_columns(end: str, all_quoted: bool) -> None:
    table = [[f"m{i}", "2024-05-01T10:00:00Z", "o", "p", f'a "b", c{end}d\u00e9'] for i in range(500)]
    content = written(table, ",", end, all_quoted=all_quoted).encode()
    assert same_both_ways(content, 1000) == 500
    assert same_both_ways(gzip.compress(content), 1000, "clicks.csv.gz") == 500


def test_one_odd_row_costs_only_its_block() -> None:
    table = [[f"m{i}", "2024-05-01T10:00:00Z", "o", "p", "x"] for i in range(500)]
    table[250] = ["m250", "2024-05-01T10:00:00Z"]
    content = written(table, ",", "\n", all_quoted=False).encode()
    whole = same_both_ways(content.replace(b"m400", b"m\xff400"), 1000)
    assert 400 < whole < 500
