"""What tells rows apart before they are decoded: one integer per row, read off the raw JSON.

Rows that lack their identity, or are not objects at all, are told apart by their whole text, so that a bad row
takes part in the proof of consistency as any other. Integers are hashes of this process: compare them within
one scan only, never store them.
"""

from collections.abc import Callable
from operator import attrgetter

import msgspec

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

_rows = msgspec.json.Decoder(list[msgspec.Raw])


def key_reader(identity: tuple[str, ...]) -> Callable[[bytes], Keys]:
    """A function from a reply's raw array of rows to their keys.

    Args:
        identity: the fields that tell rows apart; a row without the first one has no identity.
    """
    scalar = str | int | float | bool | None
    row = msgspec.defstruct("Identity", [(name, scalar, None) for name in identity], frozen=True, gc=False)
    typed = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
    first = attrgetter(identity[0])

    def read(rows: bytes) -> Keys:
        try:
            found = typed.decode(rows)
        except msgspec.ValidationError:
            return tuple(hash(bytes(raw)) for raw in _rows.decode(rows))
        if None in map(first, found):
            raws = _rows.decode(rows)
            return tuple(
                hash(bytes(raw) if first(row) is None else row) for raw, row in zip(raws, found, strict=True)
            )
        return tuple(map(hash, found))

    return read
