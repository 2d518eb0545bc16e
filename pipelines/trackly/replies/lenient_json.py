"""Reads a JSON document leniently, for answers that are too important to discard.

What does not belong here: pages of rows, which are checked in one pass and repaired by row (`pages`, `broken_rows`).
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from pipelines.trackly.failures import Unreadable

_LONGEST_NUMBER = 30  # digits before or after the point
_NOT_A_NUMBER = Decimal("NaN")


def parse_leniently(body: bytes) -> Any:
    """Read a document; a byte order mark, bad bytes, NaN, other encodings and halves of characters are accepted.

    Numbers with a fraction become Decimal, since some are money. A document that is cut off stays unreadable.

    Raises:
        Unreadable: the body is not JSON, or not complete.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        text = body.decode(json.detect_encoding(body), errors="replace").strip("\ufeff\0 \t\r\n")
        return json.loads(
            text, parse_int=number_of, parse_float=number_of, parse_constant=number_of, strict=False
        )
    except ValueError:
        raise Unreadable("not JSON, or cut off") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deeply") from None


def number_of(text: str) -> Decimal:
    """Return a number, or NaN if the text is not a number or too large."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _NOT_A_NUMBER
    return number if number.is_finite() and abs(number.adjusted()) < _LONGEST_NUMBER else _NOT_A_NUMBER


def whole_characters(text: str) -> str:
    """Return the text without halves of characters, which cannot be encoded."""
    return text.encode(errors="replace").decode()


_decoder = msgspec.json.Decoder(float_hook=number_of)
