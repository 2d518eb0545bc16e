"""How the amounts of a file are written, and what shows whether its decimal sign is a point or a comma.

By the contract `1.500` is one and a half, but in a file whose other rows have `12,50` it is fifteen hundred. This
module has the bits of `marks` that an amount contributes, as SQL for texts and in numpy for whole columns. What does
not belong here: what happens to the rows of a file (`stage.decimal_sign_of_file`), and which amounts are accepted
(`formats`).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.derived.tables import literal

THREE_DECIMALS = {"revenue": 16, "payout": 256}
"""Bits of `marks`, by column of amounts: three digits after a point."""

NO_THOUSANDS, DECIMAL_COMMA, GROUPED = 32, 64, 128
"""Bits of `marks` that tell about the whole file, in any column: a point that cannot separate thousands (`1.5`,
`0.125`, `1234.500`); a comma that is a decimal sign (`12,50`, `1.234,56`); several points, which separate thousands
(`1.234.567`)."""

OF_AMOUNTS = sum(THREE_DECIMALS.values()) | NO_THOUSANDS | DECIMAL_COMMA | GROUPED

_THREE = r"[+-]?\d*\.\d{3}"
_LIKE_THOUSANDS = r"[+-]?[1-9]\d{0,2}\.\d{3}"
_ONE_POINT = r"[+-]?\d*\.\d+"
_BESIDE = r"[^\d.,]{0,5}"  # a sign, a currency
_GROUPS = r"\d{1,3}(?:\.\d{3}){2,}"
_COMMA = (
    r"(?:\d{1,3}(?:[^\d,]\d{3})+,\d+"  # 1.234,56, also with other separators of thousands
    r"|\d*,(?:\d{1,2}|\d{4,}|[-\x{2013}]{1,2})"  # 12,50 but not 12,500
    r"|(?:0|\d{4,}),\d{3})"  # 0,125 and 1234,500, whose commas cannot separate thousands
)

_Numbers = npt.NDArray[np.int64]
_Marks = npt.NDArray[np.uint16]


def marks_of_amount(name: str, text: str) -> str:
    """Return SQL for the bits of an amount.

    Args:
        name: the column of amounts.
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
    """Return the bits of amounts that consist of digits and at most one point, which is inside.

    Args:
        name: the column of amounts.
        data: the bytes of all texts, one after the other.
        starts: where each text begins.
        sizes: how many bytes each text has.
    """
    found = np.zeros(len(starts), np.uint16)
    points = np.flatnonzero(data == ord("."))
    if not points.size:
        return found
    # if all texts have a point, which is usual, no search for their rows is needed
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
