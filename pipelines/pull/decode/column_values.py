"""Values of one column as an Arrow array, and invalid values; the speed of this code is measured.

An empty text stands for no value in an optional column that holds no text (times, numbers, flags, JSON) and in an
optional key. In other text columns an empty text is kept, since the account may hold an empty text. What does not
belong here: which rows a reply has (`columns`), and what a time is (`schemas.values.instants`).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.columns import Dataset, Kind
from schemas.derived.arrow import TYPES
from schemas.values.instants import parse_instant

_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_NAIVE = pa.timestamp("us")
_UTC = pa.timestamp("us", tz="UTC")

_NULL, _NOTHING = pa.scalar("null", pa.string()), pa.scalar(None, pa.string())
_EMPTY, _EMPTY_JSON = pa.scalar("", pa.string()), pa.scalar('""', pa.string())

_HOUR_ALONE, _SECONDS_AND_ZONE = len("2024-05-01T10"), len("2024-05-01T10:00:00Z")
_FIRST, _LAST = (
    pa.scalar(end, _UTC).value
    for end in (dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC))
)
"""The first and the last instant that the grammar accepts, in microseconds."""

Array: TypeAlias = "pa.Array[Any]"
Values = Sequence[Sequence[Any]]
"""The values of rows, by column."""

NO_VALUE = b'""'
"""An empty text, as JSON."""


def arrow_columns(dataset: Dataset, values: Values) -> tuple[list[Array], dict[int, str]]:
    """Rows of a dataset as one Arrow array per column.

    Returns:
        The arrays, and the position of each row with an invalid value, with the reason.
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


def _json_texts(raws: Sequence[msgspec.Raw]) -> Array:
    """Return JSON texts as one array built from their bytes.

    A Python object per value would cost more than all other steps.
    """
    joined = b"".join(raws)
    if not joined.isascii():
        str(joined, "utf-8")  # msgspec does not check raw values for UTF-8
    sizes = np.fromiter(map(len, raws), np.int32, len(raws))
    ends = np.zeros(len(raws) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    texts: Array = pa.StringArray.from_buffers(len(raws), pa.py_buffer(ends.tobytes()), pa.py_buffer(joined))
    if (sizes == len(b"null")).any():
        texts = pc.if_else(pc.equal(texts, _NULL), _NOTHING, texts)
    if (sizes == len(NO_VALUE)).any():
        texts = pc.if_else(pc.equal(texts, _EMPTY_JSON), _NOTHING, texts)
    return texts


def _no_objects(raws: Sequence[msgspec.Raw]) -> list[int]:
    """Return the positions of JSON values that are neither empty nor an array of objects."""
    return [at for at, raw in enumerate(raws) if bytes(raw) != NO_VALUE and not _are_objects(raw)]


def _are_objects(raw: msgspec.Raw) -> bool:
    try:
        _objects.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _texts(values: Sequence[str | float | None]) -> Array:
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # some rows have a number for a text
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _whole_lists(lists: Sequence[list[float] | None]) -> tuple[Array, list[int]]:
    """Convert lists of whole numbers.

    Returns:
        The lists, and the positions of lists with other numbers (null in the array).
    """
    failed = [at for at, one in enumerate(lists) if one is not None and not all(map(_is_whole, one))]
    left = set(failed)
    values = [None if one is None or at in left else [int(n) for n in one] for at, one in enumerate(lists)]
    return pa.array(values, TYPES[Kind.INTEGERS]), failed


def _is_whole(number: float) -> bool:
    return float(number).is_integer() and -(2**63) <= number < 2**63


def _instants(texts: Sequence[str | None]) -> tuple[Array, list[int]]:
    """Convert texts to instants, by the grammar of `schemas.values.instants`; an empty text is no value.

    Returns:
        The instants, and the positions of texts that are not instants (null in the array).
    """
    if not any(texts):
        return pa.nulls(len(texts), _UTC), []
    fast = _cast(texts)
    if fast is None and "" in texts:
        texts = [text or None for text in texts]
        fast = _cast(texts)
    return (fast, []) if fast is not None else _parsed(texts)


def _parsed(texts: Sequence[str | None]) -> tuple[Array, list[int]]:
    """Convert texts to instants one by one; return values as `_instants` does."""
    instants = [parse_instant(text) if text else None for text in texts]
    failed = [at for at, text in enumerate(texts) if text and instants[at] is None]
    return pa.array(instants, _UTC), failed


def _cast(texts: Sequence[str | None]) -> "Array | None":
    """Convert texts to instants with Arrow; None if Arrow refuses one or reads one differently from the grammar.

    Arrow refuses some forms of the grammar. It accepts forms that the grammar refuses: an hour without minutes, and
    years outside 1 to 9999 in UTC.
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
