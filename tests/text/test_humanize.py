"""Figures as text."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.text.humanize import duration, file_size, form, money, plural

_ROOT = Path(__file__).parents[2]
_COUNTED = re.compile(
    r" (?:distinct |published |good |webhook |other )?(?:rows|calls|replies|records|files|contacts"
    r"|events|pages|requests|datasets"
    r"|messages|sends|clicks|checks|columns|lines|snapshots|lists|offers|attempts|retries|conversions|bodies)\b"
)
_NEVER_ONE = {
    "pipelines/cli/commands/rejects.py: {total} rows",  # more than are shown
    "pipelines/alerts/conditions.py: {refused} webhook requests",  # one form of two
}


@pytest.mark.parametrize(
    ("number", "rows", "replies"),
    [
        (0, "0 rows", "0 replies"),
        (1, "1 row", "1 reply"),
        (2, "2 rows", "2 replies"),
        (1_000, "1,000 rows", "1,000 replies"),
    ],
)
def test_a_noun_goes_with_its_number(number: int, rows: str, replies: str) -> None:
    """Only one is one."""
    assert plural(number, "row") == rows
    assert plural(number, "reply", "replies") == replies
    assert form(number, "is", "are") == ("is" if number == 1 else "are")


def _unchecked(tree: ast.AST) -> Iterator[str]:
    """Nouns in the plural right after a number of which nobody knows whether it is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    number, text = ast.unparse(value.value), str(after.value)
                    is_bound = number.isupper() or len(number) > 100
                    if _COUNTED.match(text) and not is_bound:
                        yield f"{{{number}}}{text}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"%d (?:rows|calls|files|events|requests)\b", node.value)


def test_no_text_says_1_rows() -> None:
    """Every number with a noun goes through one function, so that nobody reads "1 rows"."""
    sources = [path for room in ("pipelines", "assets") for path in (_ROOT / room).rglob("*.py")]
    found = {
        f"{path.relative_to(_ROOT)}: {text}"
        for path in sources
        if "sandbox" not in path.parts
        for text in _unchecked(ast.parse(path.read_text()))
    }
    assert found <= _NEVER_ONE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.6, "1 h 00 min"),
        (93_784, "26 h 03 min"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    """Rounded, so that no minute has 60 seconds."""
    assert duration(seconds) == text


def test_sizes_and_amounts_are_short_and_amounts_exact() -> None:
    """Two decimals, or four where one of the last two is needed."""
    assert [file_size(size) for size in (0, 12 * 2**20, 3 * 2**29)] == ["0 MiB", "12 MiB", "1.5 GiB"]
    amounts = ("1274.9", "0.0050", "-3", "1.2345", "100")
    assert [money(Decimal(one)) for one in amounts] == ["1,274.90", "0.0050", "-3.00", "1.2345", "100.00"]
