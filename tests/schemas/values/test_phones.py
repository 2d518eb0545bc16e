"""What could be a phone number is the same for Python and for DuckDB."""

import re

import duckdb

from schemas.values.phones import like_a_number

NUMBERS = [
    "+12000000017",
    "(200) - 000-0017",
    "200.000.0017",
    "200\u00a0000\u202f0017",
    "200\u2013000\u20130017",
    "\uff12\uff10\uff10 \uff10\uff10\uff10 \uff10\uff10\uff11\uff17",
    "%2B1 200 000 0017",
    "2000017",
    "200\t000\t0017",
]
OTHERS = [
    "200 000",
    "order 12-34",
    "10:00:00 and 11:00:00",
    "1, 2, 3, 4, 5, 6, 7, 8",
    "2000a001b7",
    "",
    "20000 7x1",
]


def test_both_find_the_same() -> None:
    """Numbers in any form and script, and nothing else that has a few digits."""
    texts = [*NUMBERS, *OTHERS, *(f"call {number} now" for number in NUMBERS)]
    pattern = like_a_number(r"\p{N}")
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT list_transform($1, lambda t: regexp_matches(t, $2))", [texts, pattern]
        ).fetchall()
    expected = [True] * len(NUMBERS) + [False] * len(OTHERS) + [True] * len(NUMBERS)
    assert found[0][0] == expected
    assert [re.search(like_a_number(r"\d"), text) is not None for text in texts] == expected
