"""Limits on the content of a history file: a small file that decompresses beyond any real export is refused.

No real history comes near these limits. What does not belong here: queries, which have limits of their own
(`stage.query_cage`).
"""

import io
from pathlib import Path
from typing import BinaryIO

import pyarrow.parquet as pq

from pipelines.errors import UsageError
from pipelines.text.humanize import plural

MOST_COLUMNS = 2_000
"""Most columns of a file, or most different keys of its JSON objects."""

LONGEST_VALUE = 100_000
"""Most bytes of a value in a typed column. Parquet can store one value once and repeat it in a billion rows."""

_MOST_ROWS = 1_000_000_000
_ROWS_PER_BYTE = 50
"""Compression stores at most about ten different rows in a byte; the limit is five times as many."""
_FEW_ROWS = 1_000_000

_FREE = 256 << 20
_EXPANSION = 100
"""Most bytes that a file may decompress to: _FREE, or _EXPANSION times its size if that is more. Texts of real
exports are five to thirty times as large as their compressed file."""


def refuse_columns(path: Path, number: int) -> None:
    """Raise if a file has more columns than any real export.

    Raises:
        UsageError: the file has more than MOST_COLUMNS.
    """
    if number > MOST_COLUMNS:
        raise UsageError(
            f"{path} has more than {MOST_COLUMNS:,} columns or keys.",
            "Export a row per record, with the names of fields as columns; values may have been taken for names.",
        )


def refuse_parquet(path: Path, rows: Path) -> None:
    """Raise if a Parquet file claims more rows or bytes than its size can hold.

    Args:
        path: the file that the operator knows, for the error.
        rows: the Parquet file: `path` itself, or the result of the query in `path`.

    Raises:
        UsageError: the file has too many columns or rows, or decompresses to too many bytes.
        ArrowInvalid: `rows` is not a Parquet file.
    """
    with pq.ParquetFile(rows) as file:
        found = file.metadata
    refuse_columns(path, found.num_columns)
    size = rows.stat().st_size
    if found.num_rows > _MOST_ROWS or found.num_rows > max(_FEW_ROWS, _ROWS_PER_BYTE * size):
        raise UsageError(
            f"{path} holds {plural(found.num_rows, 'row')} in {size:,} bytes, which no history does.",
            "Export it again; split a history of more than a billion rows into several files.",
        )
    for group in range(found.num_row_groups):
        for place in range(found.num_columns):
            chunk = found.row_group(group).column(place)
            if chunk.total_uncompressed_size > _allowed(chunk.total_compressed_size):
                raise UsageError(
                    f"{path} unfolds into more than {_EXPANSION} times its size.", "Export it again."
                )


def bounded(stream: BinaryIO, path: Path, size: int) -> BinaryIO:
    """Wrap a decompressed stream: reading raises UsageError beyond the bytes that the file can reasonably hold.

    Args:
        stream: the decompressed bytes.
        path: the file, for the error.
        size: bytes of the compressed file.
    """
    return io.BufferedReader(_Bounded(stream, path, _allowed(size)), 1 << 20)


def _allowed(size: int) -> int:
    return max(_FREE, _EXPANSION * size)


class _Bounded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, path: Path, most: int) -> None:
        self._stream, self._path, self._left, self._most = stream, path, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise UsageError(
                f"{self._path} unfolds into more than {self._most:,} bytes.",
                "Compress it again from the export that it was made of, or unpack it and look at it.",
            )
        buffer[: len(block)] = block
        return len(block)
