"""The part of a reply that the scan needs: its pagination, and the keys of its rows.

Each row has one integer, the same in every process. A row without a usable key (null, empty, of another type, or
against its column's checks) has a small integer from its content. It takes part in the comparison of replies, but
links replies only together with another such row (see `read.windows`), since several rows may have the same content.
What does not belong here: the rows' columns (see `columns`), and which sightings belong to the same row without a key
(see `write.keyless`).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from pipelines.pull.decode.columns import reply_decoder
from pipelines.trackly.replies.pages import read_page, read_pagination
from schemas.columns import Dataset, Field, Kind, Matches
from schemas.values.instants import parse_instant

Keys = tuple[int, ...]
"""One integer per row of a reply, in its order."""

KEYLESS = 1 << 32
"""Integers below this stand for rows without a usable key."""

NOBODY = 0
"""Stands for a row that even its content does not tell apart, since it is too short."""

_TELLING_BYTES = 32
"""Length in bytes from which a row's content may tell it apart."""

_SEPARATOR = "\x1f"

_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


class KeyRule:
    """Decides whether a value of one key column is usable.

    Args:
        field: the column's declaration.
    """

    def __init__(self, field: Field) -> None:
        self._whole = field.kind is Kind.INTEGER
        self._patterns = [check.pattern for check in field.column.checks if isinstance(check, Matches)]

    def holds(self, value: Any) -> bool:
        """Whether one value of a row that may be of any shape is usable."""
        if self._whole:
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        if isinstance(value, bool) or value is None or value == "":
            return False
        return all(re.match(pattern, str(value)) for pattern in self._patterns)

    def holds_all(self, values: Sequence[Any]) -> bool:
        """Whether all values of a column are surely usable, by a fast test."""
        kinds = set(map(type, values))
        if self._whole:
            return kinds <= {int}
        if not kinds <= {str, int, float}:
            return False
        if not self._patterns:
            return "" not in values
        if kinds != {str}:
            return not kinds
        text = "\n".join((*values, ""))  # one match for all is three times as fast as one per value
        one_line_each = text.count("\n") == len(values)
        none_empty = not text.startswith("\n") and "\n\n" not in text
        return (
            one_line_each
            and none_empty
            and all(_lines_of(pattern).fullmatch(text) for pattern in self._patterns)
        )


@cache
def _lines_of(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?:{pattern})\n)*+", re.MULTILINE)


@cache
def key_rules(dataset: Dataset) -> tuple[KeyRule, ...]:
    """Return one rule for each column of a dataset's key."""
    by_name = {field.name: field for field in dataset.fields}
    return tuple(KeyRule(by_name[name]) for name in dataset.key)


def has_usable_key(dataset: Dataset, values: Sequence[Any]) -> bool:
    """Whether the values of a row's key, in the order of the key's columns, are usable."""
    rules = key_rules(dataset)
    return len(values) >= len(rules) and all(map(KeyRule.holds, rules, values))


class Seen(msgspec.Struct, frozen=True):
    """The part of a reply that the scan needs.

    Attributes:
    keys: one per row.
    page: the page's number in the reply's pagination; None if missing, as for the next two.
    per_page: the most rows on a page.
    total: the number of rows in all.
    newest: time of its first row, by the field of the order; None if the row has no time.
    oldest: the same for its last row.
    last: the identity of its last row, as texts; empty if the row has none.
    absent: whether its rows are null or missing, rather than an empty array.
    """

    keys: Keys
    page: int | None
    per_page: int | None
    total: int | None
    newest: datetime | None = None
    oldest: datetime | None = None
    last: tuple[str, ...] = ()
    absent: bool = False


def see(
    columns: Sequence[Sequence[Any]], order: int | None, pagination: msgspec.Raw, dataset: Dataset | None
) -> Seen | None:
    """Return the part that the scan needs; None if a row has no usable key.

    Args:
        columns: the values of each field of the rows' identity, key fields first.
        order: the index of the field by which rows are ordered, newest first, if documented.
        pagination: of the reply.
        dataset: see `ReplyReader`.
    """
    if not _all_usable(dataset, columns):
        return None
    at = read_pagination(pagination)
    dates = columns[order] if order is not None else ()
    last = tuple(as_text(column[-1]) for column in columns if column)
    return Seen(_keys(columns), at.page, at.per_page, at.total, *_ends(dates), last)


class ReplyReader:
    """Reads the part that the scan needs from a reply's body, whatever the shape of its rows; called with the body.

    Args:
        envelope: the key that the rows stand under.
        identity: the fields that tell rows apart, key fields of the dataset first.
        order: the field of these by which rows are ordered, newest first, if documented.
        dataset: its rules say when a key is usable; without it, a key is usable if its first field is not null.
    """

    def __init__(
        self,
        envelope: str,
        identity: tuple[str, ...],
        order: str | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        scalar = str | int | float | bool | None
        row = msgspec.defstruct(
            "Identity", [(name, scalar, None) for name in identity], frozen=True, gc=False
        )
        self._dataset = dataset
        self._identity = identity
        self._order = identity.index(order) if order else None
        self._reply = reply_decoder(row, envelope)
        self._row: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._page = read_page(envelope)

    def __call__(self, body: bytes) -> Seen:
        """Return the part that the scan needs.

        Raises:
            Unreadable: the body is not the expected JSON, as in `read_page`.
        """
        try:
            found = self._reply.decode(body)
        except msgspec.DecodeError:
            return self._row_by_row(body)
        rows = zip(*map(msgspec.structs.astuple, found.rows), strict=True)
        columns = list(rows) or [()] * len(self._identity)
        return see(columns, self._order, found.pagination, self._dataset) or self._row_by_row(body)

    def _row_by_row(self, body: bytes) -> Seen:
        page = self._page(body)
        raws = _raw_rows.decode(page.rows)
        rows = [self._identity_of(raw) for raw in raws]
        keys = tuple(map(self._key_of, raws, rows))
        dates = (
            [values[self._order] if values else None for values in rows] if self._order is not None else ()
        )
        last = tuple(map(as_text, rows[-1])) if rows and self._is_usable(rows[-1]) else ()
        return Seen(keys, page.page, page.per_page, page.total, *_ends(dates), last, page.absent)

    def _identity_of(self, raw: msgspec.Raw) -> tuple[Any, ...]:
        """Return the values of a row's identity; empty if the row has another shape."""
        try:
            values: tuple[Any, ...] = msgspec.structs.astuple(self._row.decode(raw))
        except msgspec.DecodeError:
            return ()
        return values

    def _key_of(self, raw: msgspec.Raw, values: tuple[Any, ...]) -> int:
        return _keys([[value] for value in values])[0] if self._is_usable(values) else keyless(bytes(raw))

    def _is_usable(self, values: tuple[Any, ...]) -> bool:
        if self._dataset is None:
            return bool(values) and values[0] is not None
        return has_usable_key(self._dataset, values)


def _all_usable(dataset: Dataset | None, columns: Sequence[Sequence[Any]]) -> bool:
    if dataset is None:
        return None not in columns[0]
    return all(map(KeyRule.holds_all, key_rules(dataset), columns))


def keyless(raw: bytes) -> int:
    """Return the integer of a row without a usable key."""
    return xxh3_64_intdigest(raw) % KEYLESS if len(raw) >= _TELLING_BYTES else NOBODY


def _keys(columns: Sequence[Sequence[Any]]) -> Keys:
    """Return the integers of rows with an identity: digests of their values, joined as texts."""
    texts = map(_template(len(columns)).__mod__, zip(*map(_as_printed, columns), strict=True))
    return tuple(map(xxh3_64_intdigest, map(str.encode, texts)))


@cache
def _template(columns: int) -> str:
    return _SEPARATOR.join(["%s"] * columns)


def _as_printed(values: Sequence[Any]) -> Iterable[Any]:
    """Yield values for which `%s` gives the same text as `as_text`."""
    return map(as_text, values) if float in set(map(type, values)) else values


def as_text(value: Any) -> str:
    """Return a value as text; a whole number with a decimal point equals the integer, as in integer columns."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _ends(values: Sequence[Any]) -> tuple[datetime | None, datetime | None]:
    """Return the first and last value of the order field as times; None if a value is not a time."""
    ends = (values[0], values[-1]) if values else (None, None)
    newest, oldest = [parse_instant(value) if isinstance(value, str) else None for value in ends]
    return newest, oldest
