"""When what the ledger has as accepted and what the API acknowledged can both be right."""

from decimal import Decimal

import pytest

from pipelines.push.audit.balances import Balance


@pytest.mark.parametrize(
    ("accepted", "settled", "acknowledged", "skipped", "in_doubt", "agrees"),
    [
        (2, 0, 2, 0, 0, True),
        (2, 0, 1, 0, 0, False),
        (2, 1, 1, 0, 0, True),
        (2, 0, 1, 1, 0, True),
        (2, 0, 0, 1, 0, False),
        (2, 0, 3, 0, 1, True),
        (2, 0, 3, 0, 0, False),
    ],
)
def test_each_accepted_row_was_acknowledged_skipped_or_settled(
    accepted: int, settled: int, acknowledged: int, skipped: int, in_doubt: int, agrees: bool
) -> None:
    """No more are acknowledged than are accepted or in doubt, whether or not the answers gave an amount."""
    zero = Decimal(0)
    counts = (accepted, settled, acknowledged, skipped, in_doubt)
    for amount in (zero, None):
        assert Balance("revenue", *counts, zero, zero, zero, amount).agrees is agrees


@pytest.mark.parametrize(
    ("amount", "settled", "in_doubt", "acknowledged", "agrees"),
    [
        ("12.5", "0", "0", "12.5", True),
        ("12.5", "2.5", "0", "10", True),
        ("12.5", "2.5", "0", "9.9999", False),
        ("10", "0", "2.5", "12.5", True),
        ("10", "0", "2.5", "12.5001", False),
    ],
)
def test_so_do_amounts(amount: str, settled: str, in_doubt: str, acknowledged: str, agrees: bool) -> None:
    """To the ten-thousandth."""
    amounts = map(Decimal, (amount, settled, in_doubt, acknowledged))
    assert Balance("revenue", 2, 0, 2, 0, 0, *amounts).agrees is agrees
