"""What the scan sees of a reply: its pagination, and what tells its rows apart.

Rows are told apart by one integer each, the same in every process. Rows that lack their identity, or are not objects
at all, are told apart by their whole text, so that a bad row takes part in the proof of consistency as any other;
save where that is so short that it tells nothing, such as `null`. What does not belong here: the rows' columns (see
`decode`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from pipelines.pull.decode import reply_decoder
from pipelines.trackly.pages import Page, read_page, read_pagination
from schemas.instants import parse_instant

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

NOBODY = 0
"""Stands for a row that nothing tells apart; it links no replies."""

_TELLING_BYTES = 32
"""Length from which on a row's whole text is taken to be its own."""

_SEPARATOR = "\x1f"

_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


class Seen(msgspec.Struct, frozen=True):
    """What the scan needs of a reply.

    Attributes:
        keys: one per row.
        page: the page's number as the reply says it, if it does; so with the rest.
        per_page: the most rows on a page.
        total: the number of rows in all.
        newest: when its first row came, by the field of the order; None where it does not say.
        oldest: so of its last row.
        last: the identity of its last row, as texts; empty where it has none.
    """

    keys: Keys
    page: int | None
    per_page: int | None
    total: int | None
    newest: datetime | None = None
    oldest: datetime | None = None
    last: tuple[str, ...] = ()


def see(columns: Sequence[Sequence[Any]], order: int | None, pagination: msgspec.Raw) -> Seen:
    """What the scan needs of a reply whose rows all have an identity.

    Args:
        columns: the values of each of its fields; of the first one none is None.
        order: which of them rows are in order of, newest first, if that is documented.
        pagination: the reply's.
    """
    at = read_pagination(pagination)
    dates = columns[order] if order is not None else ()
    last = tuple(_text(column[-1]) for column in columns if column)
    return Seen(_keys(columns), at.page, at.per_page, at.total, *_ends(dates), last)


@cache
def reply_reader(
    envelope: str, identity: tuple[str, ...], order: str | None = None
) -> Callable[[bytes], Seen]:
    """A function that sees in a reply's body what the scan needs, whatever else its rows look like.

    It raises Unreadable for a body that is not the JSON expected, as `read_page` does.

    Args:
        envelope: the key that the rows stand under.
        identity: the fields that tell rows apart; a row without the first one has no identity.
        order: the one of them by which rows are in order, newest first, if that is documented.
    """
    scalar = str | int | float | bool | None
    row = msgspec.defstruct("Identity", [(name, scalar, None) for name in identity], frozen=True, gc=False)
    typed = reply_decoder(row, envelope)
    one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
    place = identity.index(order) if order else None

    def read(body: bytes) -> Seen:
        try:
            found = typed.decode(body)
        except msgspec.DecodeError:
            return read_slowly(body)
        columns = list(zip(*map(msgspec.structs.astuple, found.rows), strict=True)) or [()] * len(identity)
        return read_slowly(body) if None in columns[0] else see(columns, place, found.pagination)

    def read_slowly(body: bytes) -> Seen:
        page: Page = read_page(envelope)(body)
        raws = _raw_rows.decode(page.rows)
        rows = [identified(raw) for raw in raws]
        keys = tuple(
            _keys([[value] for value in values])[0] if values else _key(raw)
            for raw, values in zip(raws, rows, strict=True)
        )
        dates = [values[place] if values else None for values in rows] if place is not None else ()
        last = tuple(map(_text, rows[-1])) if rows else ()
        return Seen(keys, page.page, page.per_page, page.total, *_ends(dates), last)

    def identified(raw: msgspec.Raw) -> tuple[Any, ...]:
        try:
            values: tuple[Any, ...] = msgspec.structs.astuple(one.decode(raw))
        except msgspec.DecodeError:
            return ()
        return () if values[0] is None else values

    return read


def _keys(columns: Sequence[Sequence[Any]]) -> Keys:
    """The integers of rows that have an identity."""
    texts = map(_SEPARATOR.join, zip(*map(_texts, columns), strict=True))
    return tuple(map(xxh3_64_intdigest, map(str.encode, texts)))


def _texts(values: Sequence[Any]) -> Iterable[str]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return map(_text if float in kinds else str, values)


def _text(value: Any) -> str:
    """A value as text; a whole number with a decimal point is the same, since columns of integers take it so."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _key(raw: msgspec.Raw) -> int:
    """The integer of a row that has no identity."""
    return xxh3_64_intdigest(raw) if len(bytes(raw)) >= _TELLING_BYTES else NOBODY


def _ends(values: Sequence[Any]) -> tuple[datetime | None, datetime | None]:
    """The first and the last of the values that rows are in order of, as times; None for what is none."""
    ends = (values[0], values[-1]) if values else (None, None)
    newest, oldest = [parse_instant(value) if isinstance(value, str) else None for value in ends]
    return newest, oldest
