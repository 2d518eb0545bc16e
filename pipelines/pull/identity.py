"""A reply before it is decoded: its pagination, and what tells its rows apart, in one pass over the JSON.

Rows are told apart by one integer each. Rows that lack their identity, or are not objects at all, are told apart
by their whole text, so that a bad row takes part in the proof of consistency as any other. Integers are hashes of
this process: compare them within one scan only, never store them.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from pipelines.trackly.pages import Page, read_page

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


class Seen(msgspec.Struct, frozen=True):
    """A reply's body, and what the scan needs of it.

    Attributes:
        body: as it came.
        keys: one per row.
        page: the page's number as the reply says it, if it does; so with the rest.
        per_page: the most rows on a page.
        total: the number of rows in all.
    """

    body: bytes
    keys: Keys
    page: int | None
    per_page: int | None
    total: int | None


class _Pagination(msgspec.Struct):
    page: int | None = None
    per_page: int | None = None
    total: int | None = None


def reply_reader(envelope: str, identity: tuple[str, ...]) -> Callable[[bytes], Seen]:
    """A function that reads a reply's body.

    It raises Unreadable for a body that is not the JSON expected, as `read_page` does.

    Args:
        envelope: the key that the rows stand under.
        identity: the fields that tell rows apart; a row without the first one has no identity.
    """
    scalar = str | int | float | bool | None
    row = msgspec.defstruct("Identity", [(name, scalar, None) for name in identity], frozen=True, gc=False)
    reply = msgspec.defstruct(
        "Reply",
        [("rows", list[row], msgspec.field(name=envelope)), ("pagination", _Pagination | None, None)],  # type: ignore[valid-type]
    )
    typed: msgspec.json.Decoder[Any] = msgspec.json.Decoder(reply)
    first = attrgetter(identity[0])

    def read(body: bytes) -> Seen:
        try:
            found = typed.decode(body)
        except msgspec.DecodeError:
            return _read_slowly(body)
        if None in map(first, found.rows):
            return _read_slowly(body)
        keys = tuple(map(hash, found.rows))
        at = found.pagination or _Pagination()
        return Seen(body, keys, at.page, at.per_page, at.total)

    def _read_slowly(body: bytes) -> Seen:
        page: Page = read_page(envelope)(body)
        keys = tuple(map(_key, _raw_rows.decode(page.rows)))
        return Seen(body, keys, page.page, page.per_page, page.total)

    def _key(raw: msgspec.Raw) -> int:
        try:
            identified = one.decode(raw)
        except msgspec.DecodeError:
            return hash(bytes(raw))
        return hash(bytes(raw)) if first(identified) is None else hash(identified)

    one = msgspec.json.Decoder(row)
    return read
