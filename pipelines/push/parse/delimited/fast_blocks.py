"""Reads plain blocks of delimited text as columns, many times as fast as record by record.

A block is plain if its bytes prove that the careful reader would find the same rows, values and lines, and no
problem. What does not belong here: the careful reader (`reader`).
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pipelines.push.parse.records import Columnar
from pipelines.push.parse.text import MAX_LINE
from schemas.columns import Dataset

_MARK = "\ufeff"
_LINE_END, _RETURN = ord("\n"), ord("\r")
_NOTHING = pa.scalar("")

_Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a file's rows.

    Attributes:
        dataset: the dataset of the rows.
        delimiter: one ASCII character.
        quote: one ASCII character.
        width: columns of the header.
        named: columns up to the last that has a name.
        places: by field, the number of its column from 0.
        headers: texts of a first cell that may begin a repeated header.
        backslashed: a quote after a backslash, which a block may not contain; empty if the file does not escape so.
        like_a_row: tells whether a line inside a record looks like a row of its own.
    """

    dataset: Dataset
    delimiter: str
    quote: str
    width: int
    named: int
    places: Mapping[str, int]
    headers: frozenset[str]
    backslashed: str
    like_a_row: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Block:
    """The records of a block.

    Attributes:
        records: the records, as columns.
        lines: how many lines the records have.
        rest: the text after the last complete record.
    """

    records: Columnar
    lines: int
    rest: str


def read_block(text: str, shape: Shape, before: int) -> Block | None:
    """Read a block of complete lines; None if the careful reader must read it.

    Args:
        text: the block, which begins with a record.
        shape: the shape of the file's rows.
        before: how many lines come before the block.
    """
    data = _encoded(text, shape)
    if data is None:
        return None
    found = _records(data, shape)
    if found is None:
        return None
    line_ends, record_ends, size = found
    table = _table(data[:size], shape, len(record_ends))
    if table is None:
        return None
    last = np.searchsorted(line_ends, record_ends) + before + 1
    first = np.concatenate(([before], last[:-1])) + 1
    columns = {name: table.column(place) for name, place in shape.places.items()}
    records = Columnar(shape.dataset, columns, pa.array(first), pa.array(last))
    return Block(records, int(last[-1]) - before, data[size:].decode())


def _encoded(text: str, shape: Shape) -> bytes | None:
    """Return a block as UTF-8; None if it is too large, or has a byte order mark, an escape, damage or a lone CR."""
    if len(text) >= MAX_LINE or text.startswith(_MARK) or (shape.backslashed and shape.backslashed in text):
        return None
    try:
        data = text.encode()
    except UnicodeEncodeError:  # damaged
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    return data


def _records(data: bytes, shape: Shape) -> tuple[_Places, _Places, int] | None:
    """Return the ends of lines, the ends of complete records, and their bytes; None if the quotes leave a doubt."""
    codes = np.frombuffer(data, np.uint8)
    line_ends = np.flatnonzero(codes == _LINE_END)
    if not data.endswith(b"\n"):
        line_ends = np.append(line_ends, len(data))  # the end of the file
    quotes = np.flatnonzero(codes == ord(shape.quote))
    if not quotes.size:
        return line_ends, line_ends, len(data)
    outside = np.searchsorted(quotes, line_ends) % 2 == 0
    record_ends = line_ends[outside]
    if not record_ends.size:
        return None
    size = min(int(record_ends[-1]) + 1, len(data))
    if not _well_quoted(codes, quotes[quotes < size], shape):
        return None
    inner = np.flatnonzero(~outside[: np.searchsorted(line_ends, record_ends[-1])]) + 1
    if inner.size and _hides_rows(data, codes, line_ends, inner, shape):
        return None
    return line_ends, record_ends, size


def _well_quoted(codes: npt.NDArray[np.uint8], quotes: _Places, shape: Shape) -> bool:
    """Return whether each quote opens a cell, closes one, or is half of a doubled quote."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = codes[opening[opening > 0] - 1]
    after = codes[closing[closing + 1 < codes.size] + 1]
    either = [ord(shape.delimiter), _LINE_END, ord(shape.quote)]
    return bool(np.isin(before, either).all() and np.isin(after, [*either, _RETURN]).all())


def _hides_rows(
    data: bytes, codes: npt.NDArray[np.uint8], line_ends: _Places, inner: _Places, shape: Shape
) -> bool:
    """Return whether a line inside a record looks like a row of its own; `inner` are the numbers of these lines."""
    delimiters = np.flatnonzero(codes == ord(shape.delimiter))
    starts, ends = line_ends[inner - 1] + 1, line_ends[inner]
    many = np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts) >= shape.named - 1
    return any(
        shape.like_a_row(data[start : end + 1].decode())
        for start, end in zip(starts[many], ends[many], strict=True)
    )


def _table(data: bytes, shape: Shape, rows: int) -> pa.RecordBatch | None:
    """Return the cells; None if a row is blank, of another width, or perhaps a header."""
    names = list(map(str, range(shape.width)))
    try:
        table = csv.read_csv(
            io.BytesIO(data),
            csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
            csv.ParseOptions(
                delimiter=shape.delimiter,
                quote_char=shape.quote,
                newlines_in_values=True,
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(
                check_utf8=False,  # these bytes were decoded and encoded above
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    batches = table.combine_chunks().to_batches()
    if table.num_rows != rows or len(batches) != 1:  # pragma: no cover - Arrow counts the same rows
        return None
    cells = batches[0]
    if pc.any(pc.is_in(cells.column(0), pa.array(sorted(shape.headers)))).as_py():
        return None
    empty = pc.equal(cells.column(0), _NOTHING)
    for column in cells.columns[1:]:
        if not pc.any(empty).as_py():
            return cells
        empty = pc.and_(empty, pc.equal(column, _NOTHING))
    return None if pc.any(empty).as_py() else cells
