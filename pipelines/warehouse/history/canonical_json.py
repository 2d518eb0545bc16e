"""Compares JSON texts by value: the order of keys, escapes and the form of numbers make no difference.

What does not belong here: which texts are compared (`versions`).
"""

from decimal import Decimal

import duckdb
import msgspec

_WRITTEN_OUT = 25
"""Most digits of a whole number that is written out; otherwise 1e999999999 would fill the memory."""


def _number(text: str) -> int | Decimal:
    """Return the value of a number with a fraction or exponent: 1.0 and 10e-1 are 1, 0.10 is 0.1; no rounding."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - JSON has neither infinities nor NaN
    significant = "".join(map(str, digits)).rstrip("0")
    exponent += len(digits) - len(significant)
    if not significant:
        return 0
    if exponent >= 0 and len(significant) + exponent <= _WRITTEN_OUT:
        return int(f"{'-' if sign else ''}{significant}{'0' * exponent}")
    return Decimal((sign, tuple(map(int, significant)), exponent))


_decoder = msgspec.json.Decoder(float_hook=_number)
_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


def same_json(one: str | None, other: str | None) -> bool:
    """Whether two texts hold the same JSON value, or are equal texts if one is not JSON."""
    return one == other or (one is not None and other is not None and canonical(one) == canonical(other))


def define_same_json(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the SQL function `same_json(one, other)` on this connection, not in its database."""
    connection.create_function(  # type: ignore[call-overload] # its stubs know no texts for null_handling
        "same_json", same_json, ["VARCHAR", "VARCHAR"], "BOOLEAN", null_handling="special"
    )


def canonical(text: str) -> str:
    """Return a JSON text with its keys sorted at every depth, without white space and needless escapes.

    Numbers keep all digits except zeros at the end of a fraction. A text that is not JSON stays as it is.
    """
    try:
        return _encoder.encode(_decoder.decode(text)).decode()
    except (msgspec.DecodeError, ArithmeticError, RecursionError, ValueError):
        return text
