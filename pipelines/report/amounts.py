"""Shows amounts with the decimals of their currency (ISO 4217), and never as minus zero.

What does not belong here: how amounts are stored (`schemas.values.money`), and short figures at axes (`charts`).
"""

from dataclasses import dataclass
from decimal import Decimal

Number = int | float | Decimal

NOT_KNOWN = "-"

_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS_OF = {code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()}
_USUAL = 2
"""Decimals of all other currencies, also if the settings name none."""

_ACCOUNTS_CURRENCY = "account currency"


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of figures.

    Attributes:
        name: shown at a chart or a column.
        decimals: how many digits follow the point.
    """

    name: str
    decimals: int = 0

    def shown(self, number: Number | None) -> str:
        """A figure in full."""
        return NOT_KNOWN if number is None else f"{number:z,.{self.decimals}f}"

    def shown_each(self, number: Number | None) -> str:
        """An amount per contact or click, with one digit more than the currency has, since it is small."""
        return NOT_KNOWN if number is None else f"{number:z,.{self.decimals + 1}f}"


def money(currency: str | None) -> Unit:
    """The unit of amounts.

    Args:
        currency: its code in capitals; None if the settings do not name it.
    """
    return Unit(currency or _ACCOUNTS_CURRENCY, _DECIMALS_OF.get(currency or "", _USUAL))
