"""A reply's rows as Arrow columns, and its bad rows; the speed of this code is measured.

The fast path decodes a complete reply into the dataset's structs, which refuse unknown fields and wrong types, and
turns their values into columns. A reply that it refuses is decoded row by row: unknown fields go to `extra`, and rows
of the wrong shape become bad rows with the reason.

What does not belong here: one column's values (`column_values`), and rules about values
(`schemas.derived.pandera_checks`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipelines.pull.decode.column_values import NO_VALUE, Array, Values, arrow_columns
from pipelines.trackly.replies.broken_rows import FAULT, HALF
from pipelines.trackly.replies.pages import NO_PAGINATION
from schemas.columns import Dataset, Kind

_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HALF = msgspec.Raw(msgspec.json.encode(HALF))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not have its dataset's shape: its place in the reply, its raw JSON, and the reason."""

    row: int
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A reply's rows as columns.

    Attributes:
        batch: the dataset's columns, then `extra` (JSON text or null) and `row` (place in the reply).
        bad: the rows that are not in the batch.
        unknown: names of fields that the contract does not know.
    """

    batch: pa.RecordBatch
    bad: list[BadRow]
    unknown: frozenset[str]


REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Errors raised for a reply that does not have its dataset's shape, or is not JSON."""


def reply_decoder(row: Any, envelope: str) -> msgspec.json.Decoder[Any]:
    """Return a decoder of replies into `rows` and `pagination`, the latter as raw JSON.

    Args:
        row: the type of a row.
        envelope: the key that the rows stand under.
    """
    return _reply_of(list[row], envelope)


def raw_rows(body: bytes, envelope: str) -> list[msgspec.Raw]:
    """Return the rows of a reply as JSON texts; empty if they are null or missing."""
    rows: list[msgspec.Raw] | None = _raw_reply_of(envelope).decode(body).rows
    return rows or []


def values_of(dataset: Dataset, structs: Sequence[msgspec.Struct]) -> Values:
    """Return the values of a dataset's structs, by column."""
    return list(zip(*map(msgspec.structs.astuple, structs), strict=True)) or [()] * len(dataset.fields)


def decoded(
    dataset: Dataset, structs: Sequence[msgspec.Struct], raws: Callable[[], Sequence[msgspec.Raw]]
) -> tuple[Decoded, Values]:
    """Convert rows that were decoded into structs to columns.

    Args:
        dataset: the rows' dataset.
        structs: one per row.
        raws: returns the rows as JSON texts; called only if one of them is bad.

    Returns:
        The columns, and the values that they were made from.

    Raises:
        UnicodeDecodeError: a JSON value is not UTF-8; its bytes were not checked before.
    """
    values = values_of(dataset, structs)
    count = len(structs)
    batch, wrong = _columns(
        dataset, values, pa.nulls(count, pa.string()), pa.array(np.arange(count, dtype=np.int32))
    )
    found = Decoded(batch, [], frozenset())
    return (_without(found, wrong, range(count), raws()) if wrong else found), values


@cache
def _reply_of(rows: Any, envelope: str) -> msgspec.json.Decoder[Any]:
    fields = [("rows", rows, msgspec.field(name=envelope)), ("pagination", msgspec.Raw, NO_PAGINATION)]
    reply = msgspec.defstruct("Reply", fields)
    return msgspec.json.Decoder(reply)


@cache
def _raw_reply_of(envelope: str) -> msgspec.json.Decoder[Any]:
    fields = [("rows", list[msgspec.Raw] | None, msgspec.field(name=envelope, default=None))]
    return msgspec.json.Decoder(msgspec.defstruct("RawReply", fields))


def row_by_row(dataset: Dataset, raws: Sequence[msgspec.Raw]) -> Decoded:
    """Decode a reply row by row, since not every row has its dataset's shape; the rows are UTF-8."""
    one = _OneRow.of(dataset)
    structs: list[msgspec.Struct] = []
    extras: list[str | None] = []
    places: list[int] = []
    bad: list[BadRow] = []
    unknown: set[str] = set()
    for place, raw in enumerate(raws):
        try:
            struct, extra = one.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            bad.append(BadRow(place, bytes(raw), _reason(error)))
            continue
        structs.append(struct)
        unknown |= extra.keys()
        extras.append(msgspec.json.encode(extra).decode() if extra else None)
        places.append(place)
    batch, wrong = _columns(
        dataset, values_of(dataset, structs), pa.array(extras, pa.string()), pa.array(places, pa.int32())
    )
    return _without(Decoded(batch, bad, frozenset(unknown)), wrong, places, raws)


@dataclass(frozen=True, slots=True)
class _OneRow:
    """Decodes one row of any shape.

    Attributes:
        typed: decodes the fields that the contract knows.
        known: the contract's columns.
        blankable: columns in which an empty text is no value, and whose type in the struct would refuse it.
    """

    typed: msgspec.json.Decoder[Any]
    known: frozenset[str]
    blankable: frozenset[str]

    @classmethod
    def of(cls, dataset: Dataset) -> "_OneRow":
        typed: msgspec.json.Decoder[Any] = msgspec.json.Decoder(dataset.row)
        optional = {field.name: field.kind for field in dataset.fields if field.nullable}
        blankable = {name for name, kind in optional.items() if kind not in (Kind.TEXT, Kind.JSON)}
        return cls(typed, frozenset(dataset.columns), frozenset(blankable))

    def decode(self, raw: msgspec.Raw) -> tuple[msgspec.Struct, dict[str, msgspec.Raw]]:
        """Return the row, and the fields that the contract does not know.

        Raises:
            DecodeError, RecursionError: it does not have the contract's shape, or was not JSON.
        """
        fields = _raw_fields.decode(raw)
        if fields.get(FAULT) == _HALF:
            raise msgspec.ValidationError(HALF)
        extra = {name: value for name, value in fields.items() if name not in self.known}
        blank = {name for name in self.blankable & fields.keys() if bytes(fields[name]) == NO_VALUE}
        left_out = extra.keys() | blank
        if not left_out:
            return self.typed.decode(raw), extra
        left = {name: value for name, value in fields.items() if name not in left_out}
        return self.typed.decode(msgspec.json.encode(left)), extra


def _reason(error: Exception) -> str:
    """`Expected `int`, got `str` - at `$.send_count`` as `send_count: expected int, got str`."""
    what, _, where = str(error).replace("`", "").partition(" - at $")
    column = where.lstrip(".[")
    what = what[:1].lower() + what[1:]
    return f"{column}: {what}" if column else what


def _columns(
    dataset: Dataset, values: Values, extras: Array, places: Array
) -> tuple[pa.RecordBatch, dict[int, str]]:
    arrays, wrong = arrow_columns(dataset, values)
    return pa.RecordBatch.from_arrays(
        [*arrays, extras, places], names=[*dataset.columns, "extra", "row"]
    ), wrong


def _without(
    decoded: Decoded, wrong: dict[int, str], places: Sequence[int], raws: Sequence[msgspec.Raw]
) -> Decoded:
    """Move rows out of the batch, by their position in it, to the bad rows."""
    bad = [BadRow(places[at], bytes(raws[places[at]]), reason) for at, reason in wrong.items()]
    keep = pa.array([at not in wrong for at in range(decoded.batch.num_rows)], pa.bool_())
    return Decoded(decoded.batch.filter(keep), decoded.bad + bad, decoded.unknown)
