"""How the amounts of a file are written: what shows whether a point or a comma is its decimal sign.

`1.500` is one and a half by the contract, and fifteen hundred in a file whose other rows have `12,50`. Here are the
bits of `marks` that an amount contributes, as SQL over texts and by the bytes of many. What does not belong here:
what becomes of the rows of a file (`stage.decimal_sign_of_file`), and which amounts are accepted (`formats`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.derived.tables import literal

THREE_DECIMALS = {"revenue": 16, "payout": 256}
"""Bits of `marks`, by column of amounts: three digits behind a point."""

NO_THOUSANDS, DECIMAL_COMMA, GROUPED = 32, 64, 128
"""Bits of `marks` that say something of the whole file, in whichever column: a point that cannot part thousands
(`1.5`, `0.125`, `1234.500`); a comma that is a decimal sign (`12,50`, `1.234,56`); several points, which
part thousands (`1.234.567`)."""

OF_AMOUNTS = sum(THREE_DECIMALS.values()) | NO_THOUSANDS | DECIMAL_COMMA | GROUPED

_THREE = r"[+-]?\d*\.\d{3}"
_LIKE_THOUSANDS = r"[+-]?[1-9]\d{0,2}\.\d{3}"
_ONE_POINT = r"[+-]?\d*\.\d+"
_BESIDE = r"[^\d.,]{0,5}"  # a sign, a currency
_GROUPS = r"\d{1,3}(?:\.\d{3}){2,}"
_COMMA = (
    r"(?:\d{1,3}(?:[^\d,]\d{3})+,\d+"  # 1.234,56 and with other signs between thousands
    r"|\d*,(?:\d{1,2}|\d{4,}|[-\x{2013}]{1,2})"  # 12,50 but not 12,500
    r"|(?:0|\d{4,}),\d{3})"  # 0,125 and 1234,500, whose commas cannot part thousands
)

_Numbers = npt.NDArray[np.int64]
_Marks = npt.NDArray[np.uint16]


def marks_of_amount(name: str, text: str) -> str:
    """The bits of an amount, as SQL.

    Args:
        name: of the column of amounts.
        text: the name of an SQL column that `formats.bare` made.
    """
    three = f"CASE WHEN {_is(text, _THREE)} THEN {THREE_DECIMALS[name]} ELSE 0 END"
    other = f"CASE WHEN {_is(text, _LIKE_THOUSANDS)} THEN 0 ELSE {NO_THOUSANDS} END"
    return (
        f"CASE WHEN {text} IS NULL OR NOT (contains({text}, '.') OR contains({text}, ',')) THEN 0"
        f" WHEN {_is(text, _ONE_POINT)} THEN {three} + {other}"
        f" WHEN {_is(text, f'{_BESIDE}{_COMMA}{_BESIDE}')} THEN {DECIMAL_COMMA}"
        f" WHEN {_is(text, f'{_BESIDE}{_GROUPS}{_BESIDE}')} THEN {GROUPED} ELSE 0 END"
    )


def marks_of_amounts(name: str, data: npt.NDArray[np.uint8], starts: _Numbers, sizes: _Numbers) -> _Marks:
    """The bits of amounts of digits and at most one point, none at an end.

    Args:
        name: of the column.
        data: the bytes of all, one after the other.
        starts: where each begins.
        sizes: how many bytes each has.
    """
    found = np.zeros(len(starts), np.uint16)
    points = np.flatnonzero(data == ord("."))
    if not points.size:
        return found
    # mostly all have a point, and no row has to be searched for
    rows = slice(None) if points.size == len(starts) else np.searchsorted(starts, points, side="right") - 1
    whole = points - starts[rows]
    three: Any = sizes[rows] - whole == len(".500")
    if not three.any():
        found[rows] = NO_THOUSANDS
        return found
    thousands = three & (whole <= len("500")) & (data[starts[rows]] != ord("0"))
    found[rows] = three * np.uint16(THREE_DECIMALS[name]) + ~thousands * np.uint16(NO_THOUSANDS)
    return found


def _is(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"
