"""Money: its unit, and the one conversion between amounts and units, in Python and as SQL.

Amounts are decimals in the account's currency with four places, DECIMAL(18,4). Code that sums or compares amounts
exactly uses whole units: ten-thousandths. What does not belong here: parsing amounts from files
(`pipelines.push.values.formats`), and showing them.
"""

from decimal import Decimal

UNIT = 10_000
"""Units in one of the currency."""

CENT = 100
"""Units in a cent, to which an account that shows whole cents rounds."""

LARGEST = 10**11
"""Below this limit a JSON number read as a 64-bit float is exact to 4 decimals; a row beyond it is quarantined."""


def units(amount: Decimal | float) -> int:
    """Return an amount in units; more than four decimals are rounded, half to even."""
    return round(amount * UNIT)


def amount_of(number: int) -> Decimal:
    """Return the exact amount of a number of units."""
    return Decimal(number) / UNIT


def sql_units(amount: str) -> str:
    """Return `units` as SQL for a DECIMAL(18,4) expression, cast first, since this type cannot hold the product."""
    return f"CAST(CAST({amount} AS DECIMAL(22, 4)) * {UNIT} AS BIGINT)"


def sql_amount(number: str) -> str:
    """Return `amount_of` as SQL for an integer expression; a division would give a float."""
    return f"CAST(CAST({number} AS DECIMAL(18, 0)) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4))"
