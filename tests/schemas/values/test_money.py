"""Money is ten-thousandths, converted in one way: in Python and in SQL alike."""

from decimal import Decimal

import duckdb
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.values.money import LARGEST, UNIT, amount_of, sql_amount, sql_units, units

AMOUNTS = st.integers(-LARGEST * UNIT + 1, LARGEST * UNIT - 1)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (Decimal("0.0001"), 1),
        (Decimal("-12.34"), -123_400),
        (0.1, 1_000),
        (1.1, 11_000),
        (99_999_999_999.9999, 999_999_999_999_999),
        (Decimal("0.00005"), 0),
        (Decimal("0.00015"), 2),
        (Decimal("-0.00015"), -2),
    ],
)
def test_an_amount_in_units(amount: Decimal | float, expected: int) -> None:
    """Four decimals are exact, also in a float below the largest; more are rounded, half to even."""
    assert units(amount) == expected


@settings(max_examples=examples(30), deadline=None)
@given(AMOUNTS)
def test_units_are_there_and_back_exact(number: int) -> None:
    """No amount of four decimals changes, as a Decimal or as a float that a JSON reader makes of it."""
    assert units(amount_of(number)) == number
    assert units(float(amount_of(number))) == number


@pytest.mark.parametrize("number", [0, 1, -1, 9_007_199_254_740_993, LARGEST * UNIT - 1, 1 - LARGEST * UNIT])
def test_sql_says_the_same(number: int) -> None:
    """Also beyond 2^53, where a division would round."""
    with duckdb.connect() as connection:
        ((amount, back),) = connection.execute(
            f"SELECT amount, {sql_units('amount')} FROM (SELECT {sql_amount('?::BIGINT')} AS amount)",
            [number],
        ).fetchall()
    assert (amount, back) == (amount_of(number), number)
