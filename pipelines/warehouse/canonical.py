"""JSON texts compared by their value: keys in another order and other escapes make no difference.

What does not belong here: which texts are compared (`history`).
"""

from decimal import Decimal

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


def same_json(one: str | None, other: str | None) -> bool:
    """Whether two texts hold the same JSON value, or are equal texts where one is no JSON."""
    return one == other or (one is not None and other is not None and canonical(one) == canonical(other))


def canonical(text: str) -> str:
    """A JSON text with its keys sorted at every depth, without white space and needless escapes.

    Numbers keep the digits that they are written with. A text that is no JSON stays as it is.
    """
    try:
        return _encoder.encode(_decoder.decode(text)).decode()
    except (msgspec.DecodeError, RecursionError, ValueError):
        return text
