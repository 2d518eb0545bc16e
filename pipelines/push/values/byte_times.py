"""Parses a whole column of times from its bytes, if all have one length and the usual spelling of UTC.

What does not belong here: other spellings (`formats`), and which columns hold times (`fast_typing`).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.push.values.formats import ZONE_ASSUMED

_Bytes = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.int64]

SHORTEST = 19
"""Bytes of a time without fraction and zone."""

_MOST_FRACTION = 6
_SHORTEST_MONTH = 28
_ZONES = {b"": ZONE_ASSUMED, b"Z": 0, b"+00": 0, b"+00:00": 0}
_SEPARATORS = {4: "-", 7: "-", 10: "T ", 13: ":", 16: ":"}
"""By position, the characters that may stand there."""
_IS_DIGIT = np.isin(np.arange(256), np.frombuffer(b"0123456789", np.uint8))


class Doubt(Exception):  # noqa: N818 - not an error: `formats` reads the value instead
    """A value that this fast code cannot read for certain; `formats` must read it."""


def doubt_any(doubtful: npt.NDArray[np.bool_]) -> None:
    """Raise if any value is doubtful.

    Raises:
        Doubt: a value is doubtful.
    """
    if doubtful.any():
        raise Doubt


def microseconds(characters: _Bytes) -> tuple[_Numbers, int]:
    """Return the microseconds since 1970 of each time, and the bit of `marks` for their zone.

    Args:
        characters: the bytes, with a row for each position in the texts and a column for each text.

    Raises:
        Doubt: a text is not a time, or has another spelling.
    """
    fraction, mark = _tail(characters)
    return _moment(characters) * 1_000_000 + fraction, mark


def _tail(characters: _Bytes) -> tuple[npt.NDArray[np.int32] | int, int]:
    """Return the microseconds of the fraction and the bit of the zone; rows of `characters` are positions."""
    at = SHORTEST
    fraction: npt.NDArray[np.int32] | int = 0
    if len(characters) > at and characters[at, 0] == ord("."):
        tail = characters[at + 1 :, 0]
        digits = int(np.argmin(_IS_DIGIT[tail])) if not _IS_DIGIT[tail].all() else len(tail)
        if not 1 <= digits <= _MOST_FRACTION or (characters[at] != ord(".")).any():
            raise Doubt
        fraction = _number(characters, range(at + 1, at + 1 + digits)) * 10 ** (_MOST_FRACTION - digits)
        at += 1 + digits
    zone = characters[at:, 0].tobytes()
    if zone not in _ZONES or (characters[at:] != characters[at:, :1]).any():
        raise Doubt
    return fraction, _ZONES[zone]


def _moment(characters: _Bytes) -> _Numbers:
    """Return the seconds since 1970."""
    for place, allowed in _SEPARATORS.items():
        found = characters[place] == ord(allowed[0])
        if not found.all():
            doubt_any(~found & (characters[place] != ord(allowed[-1])))
    year, month, day = (_number(characters, places) for places in (range(4), range(5, 7), range(8, 10)))
    hour, minute, second = (_number(characters, range(place, place + 2)) for place in (11, 14, 17))
    doubt_any((month < 1) | (month > 12) | (day < 1) | (hour > 23) | (minute > 59) | (second > 59))
    months = ((year.astype(np.int64) - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (day > _SHORTEST_MONTH).any():
        doubt_any(days.astype("datetime64[M]") != months)
    return days.astype(np.int64) * 86_400 + (hour * 3_600 + minute * 60 + second)


def _number(characters: _Bytes, places: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return up to six digits as a number."""
    number = np.zeros(characters.shape[1], np.int32)
    for place in places:
        digits = characters[place] - np.uint8(ord("0"))  # a byte below "0" wraps to a large number
        if digits.max() > 9:
            raise Doubt
        number *= 10
        number += digits
    return number
