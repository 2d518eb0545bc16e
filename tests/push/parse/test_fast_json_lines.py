"""JSON lines read as columns, block by block, hold the same rows as when each line is read by itself."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.facts import Facts
from pipelines.push.parse.json_lines import read_json
from pipelines.push.parse.records import Columnar, numbered
from schemas.registry import PUSHED

SENDS = PUSHED["sends"]
ROUNDS = 250
GOOD = (
    '{"id":"a","to_number":"+12000000000","timestamp":"2024-05-01T10:00:00Z","list_id":100,"delivered":true}'
)
LINES = [
    GOOD,
    '{"id": "b", "to_number": "+12000000000", "timestamp": "2024-05-01T10:00:00Z", "extra": {"a": [1, 2]}}',
    '{"ID":"c","to_number":null,"list_id":1.0,"delivered":false}',
    '{"id":"d","list_id":7,"length":12,"message":"a \\"quoted\\": text, \\u00e9 \u00e9"}',
    '{"id":"e","id":"f"}',
    '{"id":"g","ID":"h"}',
    '{"id" :"i","list_id":1e2}',
    '{"id":12,"list_id":123456789012345678901234567890,"delivered":1}',
    '{"id":1.5,"delivered":"true","message":["a"]}',
    '{"id":true}',
    "{}",
    "",
    "  ",
    "[1]",
    "not json",
    '{"id":"j"',
    '  {"id":"k"}  ',
    '{"id":"l"}{"id":"m"}',
    '{"id":"n"}\r',
    '{"id":"\ud83d\ude00","message":"\u2028 line"}',
    '{"id":"o","a":{"b":1,"b":2}}',
]


def read(path: Path, content: bytes, block: int) -> tuple[object, Facts, int]:
    """All rows of a file or why it is refused, what was found in it, and how many rows were read as columns."""
    path.write_bytes(content)
    facts = Facts()
    try:
        batches = list(read_json(SENDS, Source(path, "sends", "ndjson"), facts, block))
    except UsageError as error:
        return str(error), facts, 0
    whole = sum(len(batch) for batch in batches if isinstance(batch, Columnar))
    rows = [row for batch in numbered(iter(batches)) for row in batch.to_pylist()]
    return rows, facts, whole


def same_both_ways(path: Path, lines: Sequence[str], block: int, end: str = "\n") -> int:
    """Hold both ways together; how many rows were read as columns."""
    content = end.join(lines).encode("utf-8", "surrogatepass")
    expected, careful, none = read(path, content, 0)
    rows, found, whole = read(path, content, block)
    assert none == 0
    assert rows == expected
    assert found == careful
    return whole


def test_any_lines(tmp_path: Path) -> None:
    random = Random(13)
    whole = 0
    for _ in range(ROUNDS):
        likely = random.sample(LINES, 4)
        lines = random.choices([*likely, GOOD, GOOD, GOOD, GOOD], k=random.randrange(1, 9)) + [
            ""
        ] * random.randrange(2)
        whole += same_both_ways(
            tmp_path / "sends.ndjson", lines, random.randrange(1, 400), random.choice(["\n", "\r\n"])
        )
    assert whole > ROUNDS / 10


@pytest.mark.parametrize("line", LINES)
def test_one_kind_of_line(tmp_path: Path, line: str) -> None:
    same_both_ways(tmp_path / "sends.ndjson", [GOOD, line, line, GOOD, ""], 60)


def test_good_lines_are_read_as_columns(tmp_path: Path) -> None:
    """Also where optional fields are there in some lines only, and the last line has no end."""
    lines = [GOOD.replace('"a"', f'"a{number}"') for number in range(500)]
    lines[7] = '{"to_number":"+12000000000","id":"x","message":"Hi \\"you\\", sale: now"}'
    lines[8] = '{"id": "y", "to_number": "+12000000000", "length": 12, "other": null}'
    assert same_both_ways(tmp_path / "sends.ndjson", lines, 2000) == 500


def test_one_odd_line_costs_only_its_block(tmp_path: Path) -> None:
    lines = [GOOD.replace('"a"', f'"a{number}"') for number in range(500)]
    lines[250] = '{"id":"b","id":"c"}'
    assert 400 < same_both_ways(tmp_path / "sends.ndjson", lines, 2000) < 500


def test_an_array_and_objects_over_lines_are_read_one_by_one(tmp_path: Path) -> None:
    assert same_both_ways(tmp_path / "sends.json", ["[", f"{GOOD},", GOOD, "]"], 50) == 0
    assert same_both_ways(tmp_path / "sends.json", ["{", GOOD[1:], GOOD], 50) == 0
