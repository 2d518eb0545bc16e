"""A reply's rows as Arrow columns, and the rows that cannot be: the measured path.

The fast path decodes a reply at once into the dataset's structs, which refuse unknown fields and wrong types, and
turns their values into columns. Only a reply that it refuses is looked at row by row: unknown fields then go to
`extra`, rows of the wrong shape become bad rows with the reason.

An empty text stands for no value in an optional column that holds no text (times, numbers, flags, JSON) and in an
optional key. In any other column of text it stays an empty text, since it may be one that the account keeps.
What does not belong here: rules about values (see `schemas.derived.frames`), and what a time is
(`schemas.values.instants`).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.trackly.replies.pages import NO_PAGINATION
from pipelines.trackly.replies.salvage import FAULT, HALF
from schemas.columns import Dataset, Kind
from schemas.derived.arrow import TYPES
from schemas.values.instants import parse_instant

_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NAIVE = pa.timestamp("us")
_UTC = pa.timestamp("us", tz="UTC")

_NULL, _NOTHING = pa.scalar("null", pa.string()), pa.scalar(None, pa.string())
_EMPTY, _EMPTY_JSON = pa.scalar("", pa.string()), pa.scalar('""', pa.string())

_HOUR_ALONE, _SECONDS_AND_ZONE = len("2024-05-01T10"), len("2024-05-01T10:00:00Z")
_FIRST, _LAST = (
    pa.scalar(end, _UTC).value
    for end in (dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC))
)
"""The first and the last instant that the grammar takes, in microseconds."""

Array: TypeAlias = "pa.Array[Any]"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not of its dataset's shape: its place in the reply, its raw JSON, and why."""

    row: int
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A reply's rows.

    Attributes:
        batch: the dataset's columns, then `extra` (JSON text or null) and `row` (place in the reply).
        bad: the rows that are not in the batch.
        unknown: names of fields that the contract does not know.
    """

    batch: pa.RecordBatch
    bad: list[BadRow]
    unknown: frozenset[str]


REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What is raised where a reply is not of its dataset's shape, or no JSON at all."""

Values = Sequence[Sequence[Any]]
"""The values of rows, by column."""


def reply_decoder(row: Any, envelope: str) -> msgspec.json.Decoder[Any]:
    """A decoder of replies into `rows` and `pagination`, the latter as it came.

    Args:
        row: the type of a row.
        envelope: the key that the rows stand under.
    """
    return _reply_of(list[row], envelope)


def raw_rows(body: bytes, envelope: str) -> list[msgspec.Raw]:
    """The rows of a reply, each as its JSON text; none where they are null or left out."""
    rows: list[msgspec.Raw] | None = _raw_reply_of(envelope).decode(body).rows
    return rows or []


def values_of(dataset: Dataset, structs: Sequence[msgspec.Struct]) -> Values:
    """The values of a dataset's structs, by column."""
    return list(zip(*map(msgspec.structs.astuple, structs), strict=True)) or [()] * len(dataset.fields)


def decoded(
    dataset: Dataset, structs: Sequence[msgspec.Struct], raws: Callable[[], Sequence[msgspec.Raw]]
) -> tuple[Decoded, Values]:
    """Rows that their dataset's struct has taken, as columns.

    Args:
        dataset: what the rows are.
        structs: one per row.
        raws: the rows as JSON texts; called only where one of them is bad.

    Returns:
        The columns, and the values they were made of.

    Raises:
        UnicodeDecodeError: a JSON value is not UTF-8; nothing has looked at its bytes before.
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
    """Rows of a reply that is not of its dataset's shape throughout, looked at one after the other; in UTF-8."""
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
    """How one row of any shape is decoded.

    Attributes:
        typed: decodes what the contract knows of it.
        known: the contract's columns.
        blankable: those in which an empty text is no value, and which the struct would refuse for it.
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
        """The row, and the fields that the contract does not know.

        Raises:
            DecodeError, RecursionError: it is not of the contract's shape, or was no JSON as it came.
        """
        fields = _raw_fields.decode(raw)
        if fields.get(FAULT) == _HALF:
            raise msgspec.ValidationError(HALF)
        extra = {name: value for name, value in fields.items() if name not in self.known}
        blank = {name for name in self.blankable & fields.keys() if bytes(fields[name]) == _NO_VALUE}
        left_out = extra.keys() | blank
        if not left_out:
            return self.typed.decode(raw), extra
        left = {name: value for name, value in fields.items() if name not in left_out}
        return self.typed.decode(msgspec.json.encode(left)), extra


_NO_VALUE = b'""'
_HALF = msgspec.Raw(msgspec.json.encode(HALF))


def _reason(error: Exception) -> str:
    """`Expected `int`, got `str` - at `$.send_count`` as `send_count: expected int, got str`."""
    what, _, where = str(error).replace("`", "").partition(" - at $")
    column = where.lstrip(".[")
    what = what[:1].lower() + what[1:]
    return f"{column}: {what}" if column else what


def arrow_columns(dataset: Dataset, values: Values) -> tuple[list[Array], dict[int, str]]:
    """Rows of a dataset as one Arrow array per column.

    Returns:
        The arrays, and for each row with a value that cannot be its position and the reason.
    """
    arrays: list[Array] = []
    wrong: dict[int, str] = {}
    for field, column in zip(dataset.fields, values, strict=True):
        match field.kind:
            case Kind.INSTANT:
                array, failed = _instants(column)
                wrong |= dict.fromkeys(failed, f"{field.name}: not an ISO 8601 time")
            case Kind.MONEY:
                array = pc.cast(pa.array(column, pa.float64()), TYPES[Kind.MONEY], safe=False)
            case Kind.JSON:
                array = _json_texts(column)
                if field.column.objects:
                    wrong |= dict.fromkeys(_no_objects(column), f"{field.name}: not a list of objects")
            case Kind.INTEGERS:
                array, failed = _whole_lists(column)
                wrong |= dict.fromkeys(failed, f"{field.name}: not a list of whole numbers")
            case Kind.TEXT:
                array = _texts(column)
                if field.nullable and field.name in dataset.key:
                    array = pc.if_else(pc.equal(array, _EMPTY), _NOTHING, array)
            case _:
                array = pa.array(column, TYPES[field.kind])
        arrays.append(array)
    return arrays, wrong


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
    """Take rows out of the batch, by their position in it, as bad rows."""
    bad = [BadRow(places[at], bytes(raws[places[at]]), reason) for at, reason in wrong.items()]
    keep = pa.array([at not in wrong for at in range(decoded.batch.num_rows)], pa.bool_())
    return Decoded(decoded.batch.filter(keep), decoded.bad + bad, decoded.unknown)


def _json_texts(raws: Sequence[msgspec.Raw]) -> Array:
    """JSON as it came, put together from its bytes: an object for every value would cost more than all else here."""
    joined = b"".join(raws)
    if not joined.isascii():
        str(joined, "utf-8")  # what msgspec hands on as it came was not looked at
    sizes = np.fromiter(map(len, raws), np.int32, len(raws))
    ends = np.zeros(len(raws) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    texts: Array = pa.StringArray.from_buffers(len(raws), pa.py_buffer(ends.tobytes()), pa.py_buffer(joined))
    if (sizes == len(b"null")).any():
        texts = pc.if_else(pc.equal(texts, _NULL), _NOTHING, texts)
    if (sizes == len(_NO_VALUE)).any():
        texts = pc.if_else(pc.equal(texts, _EMPTY_JSON), _NOTHING, texts)
    return texts


def _no_objects(raws: Sequence[msgspec.Raw]) -> list[int]:
    """The positions of JSON values that are something else than an array of objects, and not empty either."""
    return [at for at, raw in enumerate(raws) if bytes(raw) != _NO_VALUE and not _are_objects(raw)]


def _are_objects(raw: msgspec.Raw) -> bool:
    try:
        _objects.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _texts(values: Sequence[str | float | None]) -> Array:
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # a label that some rows give as a number
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _whole_lists(lists: Sequence[list[float] | None]) -> tuple[Array, list[int]]:
    """Lists of whole numbers.

    Returns:
        The lists, and the positions of those with another number in them (null in the array).
    """
    failed = [at for at, one in enumerate(lists) if one is not None and not all(map(_is_whole, one))]
    left = set(failed)
    values = [None if one is None or at in left else [int(n) for n in one] for at, one in enumerate(lists)]
    return pa.array(values, TYPES[Kind.INTEGERS]), failed


def _is_whole(number: float) -> bool:
    return float(number).is_integer() and -(2**63) <= number < 2**63


def _instants(texts: Sequence[str | None]) -> tuple[Array, list[int]]:
    """Texts as instants, by the grammar of `schemas.values.instants`; empty ones are no value.

    Returns:
        The instants, and the positions of the texts that are none (null in the array).
    """
    if not any(texts):
        return pa.nulls(len(texts), _UTC), []
    fast = _cast(texts)
    if fast is None and "" in texts:
        texts = [text or None for text in texts]
        fast = _cast(texts)
    return (fast, []) if fast is not None else _parsed(texts)


def _parsed(texts: Sequence[str | None]) -> tuple[Array, list[int]]:
    """Texts as instants one by one; returns what `_instants` does."""
    instants = [parse_instant(text) if text else None for text in texts]
    failed = [at for at, text in enumerate(texts) if text and instants[at] is None]
    return pa.array(instants, _UTC), failed


def _cast(texts: Sequence[str | None]) -> "Array | None":
    """Texts as instants by Arrow, where it takes them all and takes them as the grammar does; else None.

    Arrow refuses some forms of the grammar, and takes what the grammar refuses: an hour without minutes, and years
    other than 1 to 9999 once they are UTC.
    """
    array = pa.array(texts, pa.string())
    buffer: Any = array.buffers()[1]
    ends = np.frombuffer(buffer, np.int32)
    sizes = ends[1 : len(texts) + 1] - ends[: len(texts)]
    instants = None
    if not (sizes == _HOUR_ALONE).any():
        instants = _taken(array, _NAIVE)
    if instants is None and sizes[sizes > 0].min() >= _SECONDS_AND_ZONE:
        instants = _taken(array, _UTC)
    if instants is None:
        return None
    buffer = instants.buffers()[1]
    micros = np.frombuffer(buffer, np.int64)[: len(texts)]
    return instants.cast(_UTC) if micros.min() >= _FIRST and micros.max() <= _LAST else None


def _taken(array: Array, as_type: pa.DataType) -> "Array | None":
    try:
        return array.cast(as_type)
    except pa.ArrowInvalid:
        return None
