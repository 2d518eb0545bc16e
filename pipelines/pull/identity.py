"""A reply before it is decoded: its pagination, and what tells its rows apart, in one pass over the JSON.

Rows are told apart by one integer each. Rows that lack their identity, or are not objects at all, are told apart
by their whole text, so that a bad row takes part in the proof of consistency as any other; save where that is so
short that it tells nothing, such as `null`. Integers are hashes of this process: compare them within one scan only,
never store them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from pipelines.pull.decode import parse_instant
from pipelines.trackly.pages import Page, read_page

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

NOBODY = 0
"""Stands for a row that nothing tells apart; it links no replies."""

_TELLING_BYTES = 32
"""Length from which on a row's whole text is taken to be its own."""

_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


class Seen(msgspec.Struct, frozen=True):
    """A reply's body, and what the scan needs of it.

    Attributes:
        body: as it came.
        keys: one per row.
        page: the page's number as the reply says it, if it does; so with the rest.
        per_page: the most rows on a page.
        total: the number of rows in all.
        newest: when its first row came, by the field of the order; None where it does not say.
        oldest: so of its last row.
    """

    body: bytes
    keys: Keys
    page: int | None
    per_page: int | None
    total: int | None
    newest: datetime | None = None
    oldest: datetime | None = None


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Pagination(msgspec.Struct):
    page: _Count | None = None
    per_page: _Count | None = None
    total: _Count | None = None


def reply_reader(
    envelope: str, identity: tuple[str, ...], order: str | None = None
) -> Callable[[bytes], Seen]:
    """A function that reads a reply's body.

    It raises Unreadable for a body that is not the JSON expected, as `read_page` does.

    Args:
        envelope: the key that the rows stand under.
        identity: the fields that tell rows apart; a row without the first one has no identity.
        order: the one of them by which rows are in order, newest first, if that is documented.
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
        return Seen(body, keys, at.page, at.per_page, at.total, *_dates(found.rows, order))

    def _read_slowly(body: bytes) -> Seen:
        page: Page = read_page(envelope)(body)
        raws = _raw_rows.decode(page.rows)
        keys = tuple(map(_key, raws))
        dates = _dates([_identified(raw) for raw in (*raws[:1], *raws[-1:])], order)
        return Seen(body, keys, page.page, page.per_page, page.total, *dates)

    def _key(raw: msgspec.Raw) -> int:
        identified = _identified(raw)
        if identified is None:
            return hash(bytes(raw)) if len(bytes(raw)) >= _TELLING_BYTES else NOBODY
        return hash(identified)

    def _identified(raw: msgspec.Raw) -> Any:
        try:
            identified = one.decode(raw)
        except msgspec.DecodeError:
            return None
        return None if first(identified) is None else identified

    one = msgspec.json.Decoder(row)
    return read


def _dates(rows: Sequence[Any], order: str | None) -> tuple[datetime | None, datetime | None]:
    """The dates of the first row and the last."""
    if order is None or not rows:
        return None, None
    texts = [getattr(row, order, None) for row in (rows[0], rows[-1])]
    newest, oldest = [parse_instant(text) if isinstance(text, str) else None for text in texts]
    return newest, oldest
