"""Standard output and standard error where what is behind them takes no more: the full disk of a log, as a rule.

Results that cannot be written are an error that says so, and is not taken for one of the data directory. A remark
that cannot be written is dropped: there is nowhere to say it, and the work goes on. What does not belong here: a
reader who has gone (`shared.exits`), and what is written.
"""

import io
import os
from typing import Any, TextIO

from pipelines.errors import StorageError

_MANY_ROWS = 2**16
"""Bytes."""


class _Remarks(io.FileIO):
    """What cannot be written is dropped, and counts as written."""

    def write(self, data: Any) -> int | None:  # type: ignore[override] # as FileIO has it
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._refused(error)
            return memoryview(data).nbytes

    def _refused(self, error: OSError) -> None:
        pass


class _Results(_Remarks):
    """What cannot be written is an error."""

    def _refused(self, error: OSError) -> None:
        discard(self.fileno())
        raise StorageError(
            f"Standard output cannot be written: {error.strerror}. What was done before it is done.",
            "Make room where the output goes, or send it elsewhere; trackly-sync runs shows what was done.",
        ) from error


def discard(descriptor: int) -> None:
    """Take whatever is still written to a descriptor: else the interpreter tries again at its end, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def results(stream: TextIO) -> TextIO:
    """Standard output, whose `write` and `flush` raise StorageError where it cannot be written."""
    return _written_by(_Results(stream.fileno(), "w", closefd=False), stream)


def remarks(stream: TextIO) -> TextIO:
    """Standard error, which drops what it cannot write."""
    return _written_by(_Remarks(stream.fileno(), "w", closefd=False), stream)


def rows_to(stream: TextIO) -> TextIO:
    """As `results`, for many rows in UTF-8: with PYTHONUNBUFFERED, as in containers, each would be a write."""
    raw = _Results(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw, _MANY_ROWS), "utf-8", newline="")


def _written_by(raw: io.FileIO, stream: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=bool(stream.line_buffering)
    )
