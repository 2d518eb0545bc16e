"""Standard output and standard error when they cannot be written, usually since a log's disk is full.

If results cannot be written, a StorageError says so, distinct from errors of the data directory. If a remark cannot
be written, it is dropped and the work goes on. What does not belong here: a closed pipe (`shared.exits`), and the
texts themselves.
"""

import io
import os
from typing import Any, TextIO

from pipelines.errors import StorageError

_MANY_ROWS = 2**16
"""Bytes."""


class _Remarks(io.FileIO):
    """A stream that drops text which cannot be written, and counts it as written."""

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
    """A stream that raises StorageError if text cannot be written."""

    def _refused(self, error: OSError) -> None:
        discard(self.fileno())
        raise StorageError(
            f"Standard output cannot be written: {error.strerror}. What was done before it is done.",
            "Make room where the output goes, or send it elsewhere; trackly-sync runs shows what was done.",
        ) from error


def discard(descriptor: int) -> None:
    """Redirect a descriptor to the null device.

    Otherwise the interpreter tries to write again at its end, and reports an error.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def results(stream: TextIO) -> TextIO:
    """Return standard output as a stream whose `write` and `flush` raise StorageError if they fail."""
    return _written_by(_Results(stream.fileno(), "w", closefd=False), stream)


def remarks(stream: TextIO) -> TextIO:
    """Return standard error as a stream that drops text which it cannot write."""
    return _written_by(_Remarks(stream.fileno(), "w", closefd=False), stream)


def rows_to(stream: TextIO) -> TextIO:
    """Return a stream as `results` does, buffered for many rows in UTF-8.

    With PYTHONUNBUFFERED, as in containers, each row would otherwise be a write.
    """
    raw = _Results(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw, _MANY_ROWS), "utf-8", newline="")


def _written_by(raw: io.FileIO, stream: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=bool(stream.line_buffering)
    )
