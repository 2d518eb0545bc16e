"""Types whole batches at once if no value leaves a doubt, many times as fast as text by text.

A batch is typed here only if checks of its bytes prove that the declared formats (`formats`) would find the same
values, no problem, and no marks except a time without a zone and how an amount is written. A check may reject a valid
value; it must never accept a value that `formats` rejects. What does not belong here: the formats themselves, and
reading files.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.push.values.byte_times import SHORTEST, Doubt, doubt_any, microseconds
from pipelines.push.values.decimal_signs import marks_of_amounts
from pipelines.push.values.formats import FALSE, IDENTIFIERS, LONG_MESSAGE, TRUE, ZONE_ASSUMED
from schemas.columns import Dataset, Field, Kind
from schemas.derived.arrow import TYPES
from schemas.values.instants import plausible_between

_Bytes = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.int64]
_Table = npt.NDArray[np.bool_]
_Array: TypeAlias = "pa.Array[Any]"

_PLACES = ("row", "line", "last_line")
_LONGEST_WORD = 9  # longest word for null that begins like an ordinary text: "undefined"
_AMOUNT_BYTES, _WHOLE_BYTES = 11, 18  # up to these sizes no amount or number is out of range
_OFFER_BYTES = 24


def _table(characters: str, *more: range) -> _Table:
    table = np.zeros(256, np.bool_)
    table[[ord(one) for one in characters]] = True
    for codes in more:
        table[codes] = True
    return table


_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FIRST = _table(_DIGITS + _LETTERS + "+")
_LAST = _table("", range(0x21, 0x7F))
_WORD_FIRST = _table("nNuU")
_IDENTIFIER = f"{_DIGITS}{_LETTERS}+-_:/@#|=~".encode()
_POINTS = _table(".,")
_SIGNS = _table("+-")
_EXPONENT = _table("eE")
_NUMBER_FIRST = _table(_DIGITS + "+-")
_DIGIT = _table(_DIGITS)
_AMOUNT = f"{_DIGITS}.".encode()
_HEX = f"{_DIGITS}ABCDEFabcdef".encode()
_MESSAGE_DOUBTS = _table("'=<(#\\nNuU\x7f\xc2\xe1\xe2\xe3\xef", range(0x21))
"""First bytes of a short message that may be a word for null, a guard or white space (which has up to 3 bytes)."""
_GUARDS = _table("'=")
_FLAGS = [form(word) for word in (*TRUE, *FALSE) for form in (str, str.upper, str.title)]
_FLAG_WORDS = pa.array(_FLAGS)
_FLAG_VALUES = pa.array([word.lower() in TRUE for word in _FLAGS])


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a column that are not empty.

    Attributes:
        data: the bytes of all texts, one after the other.
        starts: where each text begins.
        sizes: how many bytes each text has.
        present: which rows of the column have a text; None if all have one.
    """

    data: _Bytes
    starts: _Numbers
    sizes: _Numbers
    present: _Table | None

    @classmethod
    def of(cls, column: _Array) -> "_Texts":
        buffers: list[Any] = column.buffers()
        validity, offsets, data = buffers
        places = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4).astype(np.int64)
        codes = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
        starts, sizes = places[:-1], np.diff(places)
        there = sizes > 0
        if column.null_count and validity is not None:
            valid = np.asarray(column.is_valid())
            if (there & ~valid).any():
                raise Doubt
        if there.all():
            return cls(codes[places[0] : places[-1]], starts - places[0], sizes, None)
        return cls(codes[places[0] : places[-1]], starts[there] - places[0], sizes[there], there)

    @property
    def first(self) -> _Bytes:
        return self.data.take(self.starts)

    @property
    def last(self) -> _Bytes:
        return self.data.take(self.starts + self.sizes - 1)

    def at(self, place: int) -> _Bytes:
        """Return the byte at a position of each text; any byte for texts that are shorter."""
        return self.data.take(self.starts + place, mode="clip")

    def only(self, allowed: bytes) -> bool:
        """Return whether the texts have no other bytes than these."""
        return not self.data.tobytes().translate(None, allowed)


def schema(dataset: Dataset) -> pa.Schema:
    """Return the columns of a proven batch: `row`, `line`, `last_line`, the fields, and `marks`."""
    values = [(field.name, TYPES[field.kind]) for field in dataset.fields]
    return pa.schema([*((name, pa.int64()) for name in _PLACES), *values, ("marks", pa.uint16())])


def prove(dataset: Dataset, batch: pa.RecordBatch, now: datetime | None = None) -> pa.RecordBatch | None:
    """Return a batch with typed columns; None if a value needs `formats`.

    Args:
        dataset: the dataset of the rows.
        batch: a batch as `parse.records.schema` describes it, or with typed columns.
        now: the present time, which limits plausible times.

    Returns:
        A batch of `schema`.
    """
    if batch.column("problem").null_count < len(batch) or batch.column("broken").null_count < len(batch):
        return None
    marks = np.zeros(len(batch), np.uint16)
    moment = now or datetime.now(UTC)
    columns: list[_Array] = [batch.column(name) for name in _PLACES]
    try:
        columns.extend(_typed(field, batch.column(field.name), marks, moment) for field in dataset.fields)
    except Doubt:
        return None
    return pa.RecordBatch.from_arrays([*columns, pa.array(marks)], schema=schema(dataset))


def plain(dataset: Dataset, batch: pa.RecordBatch, now: datetime | None = None) -> frozenset[str]:
    """Return the text columns whose values are all certain, of a batch that `prove` did not accept.

    Args:
        dataset: the dataset of the rows.
        batch: as for `prove`.
        now: as for `prove`.
    """
    marks, moment = np.zeros(len(batch), np.uint16), now or datetime.now(UTC)
    found = set()
    for field in dataset.fields:
        column = batch.column(field.name)
        with suppress(Doubt):
            if pa.types.is_string(column.type):
                _typed(field, column, marks, moment)
                found.add(field.name)
    return frozenset(found)


def _typed(field: Field, column: _Array, marks: npt.NDArray[np.uint16], now: datetime) -> _Array:
    """Return a column in the type of its field, and add the bits of its values to `marks`."""
    if column.null_count == len(column):
        return _nothing(field, len(column))
    if not pa.types.is_string(column.type):
        return _of_own_type(field, column, marks, now)
    texts = _Texts.of(column)
    if not len(texts.starts):
        return _nothing(field, len(column))
    if field.kind is Kind.INSTANT:
        return _instants(texts, len(column), marks, now)
    if field.kind is Kind.TEXT:
        _LOOKS.get(field.name, _look_at_text)(texts)
        if field.name in IDENTIFIERS:
            _look_at_identifier(field.name, texts)
    given = column if texts.present is None else _only(column, texts.present)
    values = _READ[field.kind](given, texts)
    if field.kind is Kind.MONEY:
        rows = slice(None) if texts.present is None else texts.present
        marks[rows] |= marks_of_amounts(field.name, texts.data, texts.starts, texts.sizes)
    return values


def _of_own_type(field: Field, column: _Array, marks: npt.NDArray[np.uint16], now: datetime) -> _Array:
    """Return a typed column in the type of its field; Doubt if the type may hold values that the field does not."""
    kind: Any = column.type
    if field.kind is Kind.FLAG and pa.types.is_boolean(kind):
        return column
    if (
        field.kind is Kind.MONEY
        and pa.types.is_decimal(kind)
        and kind.precision - kind.scale <= _AMOUNT_BYTES
    ):
        return column.cast(TYPES[Kind.MONEY])
    if field.kind is not Kind.INSTANT or not pa.types.is_timestamp(kind) or kind.unit != "us":
        raise Doubt
    there = np.asarray(column.is_valid())
    micros = np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0))
    _doubt_implausible(micros[there], now)
    if kind.tz is None:
        marks[there] |= ZONE_ASSUMED
    return _timestamps(micros, there)


def _nothing(field: Field, rows: int) -> _Array:
    kind: pa.DataType = TYPES[field.kind]
    nothing: _Array = pa.array([None] * rows, kind)
    return nothing


def _only(column: _Array, present: _Table) -> _Array:
    mask: Any = pa.array(present)
    some: _Array = pc.if_else(mask, column, pa.scalar(None, column.type))
    return some


def _look_at_text(texts: _Texts) -> None:
    """Check that there is nothing to trim, no guard, and no word for null."""
    first = texts.first
    if not (_FIRST.take(first).all() and _LAST.take(texts.last).all()):
        raise Doubt
    short = texts.sizes <= _LONGEST_WORD
    if short.any():
        doubt_any(short & _WORD_FIRST.take(first))


def _look_at_message(texts: _Texts) -> None:
    """Check that there is no guard and no word for null; white space around a message stays."""
    first, sizes = texts.first, texts.sizes
    doubt_any(_GUARDS.take(first))
    doubtful = sizes <= LONG_MESSAGE
    if doubtful.any():
        doubtful &= _MESSAGE_DOUBTS.take(first)
        tidy = (first > ord(" ")) & (first < 0x7F) & _LAST[texts.last] & (sizes > _LONGEST_WORD)
        doubt_any(doubtful & ~tidy)


def _look_at_identifier(name: str, texts: _Texts) -> None:
    """Check for numbers that a spreadsheet may have changed, invisible characters, and texts of punctuation only."""
    if name == "offer_id" and not (texts.only(_HEX) and (texts.sizes == _OFFER_BYTES).all()):
        raise Doubt
    plus = texts.first == ord("+")
    if plus.any():
        doubt_any(plus & ~(_DIGIT.take(texts.at(1)) & (texts.sizes > 1)))
    numeric = _NUMBER_FIRST.take(texts.first)
    if not texts.only(_IDENTIFIER):
        doubt_any((texts.data > 0x7E) | (texts.data < ord(" ")))
        if numeric.any() and _POINTS[texts.data].any():
            raise Doubt
    if numeric.any():
        _doubt_exponents(numeric, texts)


def _doubt_exponents(numeric: _Table, texts: _Texts) -> None:
    """Check that no number is written like 1E+10, as a spreadsheet writes long ones."""
    for place in (1, 2):
        exponent = _EXPONENT.take(texts.at(place))
        if exponent.any():
            doubt_any(numeric & exponent & _SIGNS.take(texts.at(place + 1)) & (texts.sizes > place + 2))


_LOOKS: dict[str, Callable[[_Texts], None]] = {"message": _look_at_message}


def _as_text(column: _Array, texts: _Texts) -> _Array:  # noqa: ARG001 - one signature for all
    return column


def _as_whole(column: _Array, texts: _Texts) -> _Array:
    if not texts.only(_DIGITS.encode()) or (texts.sizes > _WHOLE_BYTES).any():
        raise Doubt
    return column.cast(TYPES[Kind.INTEGER])


def _as_flag(column: _Array, texts: _Texts) -> _Array:  # noqa: ARG001 - one signature for all
    places = pc.index_in(column, _FLAG_WORDS)
    if places.null_count != column.null_count:
        raise Doubt
    return _FLAG_VALUES.take(places)


def _as_amount(column: _Array, texts: _Texts) -> _Array:
    if not texts.only(_AMOUNT) or (texts.sizes > _AMOUNT_BYTES).any():
        raise Doubt
    doubt_any(~_DIGIT[texts.first] | ~_DIGIT[texts.last])
    try:
        return column.cast(TYPES[Kind.MONEY])
    except pa.ArrowInvalid:  # two points, or more than 4 decimals
        raise Doubt from None


_READ: dict[Kind, Callable[[_Array, _Texts], _Array]] = {
    Kind.TEXT: _as_text,
    Kind.INTEGER: _as_whole,
    Kind.FLAG: _as_flag,
    Kind.MONEY: _as_amount,
}


def _instants(texts: _Texts, rows: int, marks: npt.NDArray[np.uint16], now: datetime) -> _Array:
    """Return times that all have one length and one of the usual spellings of UTC."""
    size = int(texts.sizes[0])
    if size < SHORTEST or (texts.sizes != size).any():
        raise Doubt
    signs = np.ascontiguousarray(texts.data.reshape(len(texts.starts), size).T)
    micros, mark = microseconds(signs)
    _doubt_implausible(micros, now)
    if texts.present is None:
        marks |= mark
        return _timestamps(micros, None)
    marks[texts.present] |= mark
    all_micros = np.zeros(rows, np.int64)
    all_micros[texts.present] = micros
    return _timestamps(all_micros, texts.present)


def _doubt_implausible(micros: _Numbers, now: datetime) -> None:
    first, end = (int(limit.timestamp()) * 1_000_000 for limit in plausible_between(now))
    doubt_any((micros < first) | (micros >= end))


def _timestamps(micros: _Numbers, present: _Table | None) -> _Array:
    mask = None if present is None else ~present
    return pa.array(micros, pa.int64(), mask=mask).cast(TYPES[Kind.INSTANT])
