"""What tells rows apart before they are decoded: one integer per row, read off the raw JSON.

Rows that lack their identity, or are not objects at all, are told apart by their whole text, so that a bad row
takes part in the proof of consistency as any other. Integers are hashes of this process: compare them within
one scan only, never store them.
"""

from collections.abc import Callable

import msgspec

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

_ABSENT = msgspec.Raw(b"")
_rows = msgspec.json.Decoder(list[msgspec.Raw])


def key_reader(identity: tuple[str, ...]) -> Callable[[bytes], Keys]:
    """A function from a reply's raw array of rows to their keys.

    Args:
        identity: the fields that tell rows apart.
    """
    row = msgspec.defstruct("Identity", [(name, msgspec.Raw, _ABSENT) for name in identity], gc=False)
    typed = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]

    def read(rows: bytes) -> Keys:
        try:
            parts = [tuple(map(bytes, msgspec.structs.astuple(item))) for item in typed.decode(rows)]
        except msgspec.ValidationError:
            return tuple(hash(bytes(item)) for item in _rows.decode(rows))
        if any(b"" in part for part in parts):
            raws = _rows.decode(rows)
            return tuple(
                hash(bytes(raw)) if b"" in part else hash(part) for raw, part in zip(raws, parts, strict=True)
            )
        return tuple(map(hash, parts))

    return read
