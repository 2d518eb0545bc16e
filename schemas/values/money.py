"""Money: its unit, and the one conversion between amounts and units, in Python and as SQL.

Amounts are decimals in the account's currency with four places, DECIMAL(18,4). Wherever amounts are added up or
compared exactly they are whole units: ten-thousandths. What does not belong here: parsing amounts out of files
(`pipelines.push.values.formats`), and showing them.
"""

from decimal import Decimal

UNIT = 10_000
"""Units in one of the currency."""

CENT = 100
"""Units in a cent: what an account that shows whole cents rounds to."""

LARGEST = 10**11
"""Below it a JSON number that is read as a 64-bit float is exact to 4 decimals; a row beyond it is quarantined."""


def units(amount: Decimal | float) -> int:
    """An amount in units; more than four decimals are rounded, half to even."""
    return round(amount * UNIT)


def amount_of(number: int) -> Decimal:
    """The amount of so many units, exact."""
    return Decimal(number) / UNIT


def sql_units(amount: str) -> str:
    """`units` as SQL, of an expression of type DECIMAL(18,4), whose own digits do not hold the product."""
    return f"CAST(CAST({amount} AS DECIMAL(22, 4)) * {UNIT} AS BIGINT)"


def sql_amount(number: str) -> str:
    """`amount_of` as SQL, of an integer expression; a division would make it a float."""
    return f"CAST(CAST({number} AS DECIMAL(18, 0)) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4))"
