"""Reads text files as lines: decompressed, in the encoding that the whole file shows, with any kind of line end.

What does not belong here: records (`delimited`, `json_lines`).
"""

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TextIO, cast

import numpy as np
import pyarrow as pa

from pipelines.errors import UsageError
from pipelines.push.files.bounds import bounded
from pipelines.push.files.find import Source

MAX_LINE = 6_000_000
"""Most characters of a line; a record of more than 5 MB cannot be sent anyway."""

REPLACEMENT = "\ufffd"
_BLOCK = 1 << 20
_MOST_BYTES = 4  # of one character
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHERS = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "Unpack it, or save each sheet as CSV UTF-8."),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet", "Save each sheet as CSV UTF-8."),
    (b"\x1f\x8b", "compressed by gzip", "Give it a name that ends in .gz."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Give it a name that ends in .zst."),
    (b"PAR1", "Parquet", "Give it a name that ends in .parquet."),
)
"""First bytes of files that are not text, whatever their name says."""
_ESCAPED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\0-\x7f\udc80-\udcff]")
_HALF = re.compile("[\ud800-\udfff]")
_UNDEFINED_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_WESTERN = re.compile(rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{4}")
"""Four accented letters in a row: in no word of a Western language, but usual in Cyrillic or Greek code pages."""
_BACKSLASHED = re.compile(rb'\\"[^",;\t|\r\n]')
"""A quote after a backslash that neither ends its field nor is doubled: the writer escapes quotes by backslash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What reading all bytes of a text file found.

    Attributes:
        codec: Python's name of the encoding.
        encoding: the name for people.
        mark: size of the byte order mark in bytes.
        damaged: whether some bytes may be invalid in that encoding; `is_damaged` finds their lines.
        backslashes: whether quotes are escaped by backslashes.
        line_ends: the kinds of line ends, for people.
        empty: whether there is only white space.
        apostrophes: whether a cell may begin with an apostrophe.
    """

    codec: str
    encoding: str
    mark: int
    damaged: bool
    backslashes: bool
    line_ends: tuple[str, ...]
    empty: bool
    apostrophes: bool = True


def look(source: Source) -> Evidence:
    """Read a file once and return what its bytes show.

    Raises:
        UsageError: the compression is damaged, the file is not text, or its encoding is unclear.
    """
    with opened_bytes(source) as file:
        head = file.read(4)
        for start, what, remedy in _OTHERS:
            if head.startswith(start):
                raise UsageError(f"{source.path} is not text but {what}.", remedy)
        codec, mark = _marked(head)
        head += file.read(_BLOCK - len(head))
        if not codec:
            codec = _wide(head) or "utf-8"
        if codec != "utf-8":
            ends = _wide_ends(head, codec)
            empty = not head[mark:].decode(codec, "ignore").strip()
            return Evidence(
                codec=codec,
                encoding=codec.upper().removesuffix("-LE").removesuffix("-BE"),
                mark=mark,
                damaged=True,
                backslashes=False,
                line_ends=ends,
                empty=empty,
            )
        return _narrow(head, mark, file, source)


@contextmanager
def opened_text(source: Source, evidence: Evidence) -> Iterator[TextIO]:
    """Open a file as text: lines keep their line ends, and invalid bytes become surrogate characters.

    Raises:
        UsageError: the compression is damaged, or the bytes do not fit the encoding.
    """
    errors = "surrogateescape" if evidence.codec in ("utf-8", "cp1252") else "surrogatepass"
    with opened_bytes(source) as file:
        file.read(evidence.mark)
        text = io.TextIOWrapper(file, evidence.codec, errors, newline="")
        try:
            yield text
        except UnicodeDecodeError:
            raise UsageError(
                f"{source.path} is not {evidence.encoding} to its end.", "Export it again, as UTF-8."
            ) from None
        finally:
            text.detach()


def record_ends(source: Source, evidence: Evidence, quote: str) -> tuple[str, ...]:
    """Return the kinds of line ends outside quotes; those inside quotes are part of a text.

    Args:
        source: the file.
        evidence: what `look` found; if all line ends are of one kind, the file is not read again.
        quote: one ASCII character.
    """
    if len(evidence.line_ends) < 2:
        return evidence.line_ends
    found = dict.fromkeys(("CRLF", "LF", "CR"), 0)
    carried, before = "", 0
    with opened_text(source, evidence) as text:
        while block := text.read(_BLOCK):
            whole = carried + block
            carried = "\r" if whole.endswith("\r") else ""  # perhaps the first half of CRLF
            codes = np.frombuffer(whole.removesuffix(carried).encode("utf-8", "surrogatepass"), np.uint8)
            quotes = np.flatnonzero(codes == ord(quote))
            line_ends, returns = (
                places[(np.searchsorted(quotes, places) + before) % 2 == 0]
                for places in (np.flatnonzero(codes == ord(end)) for end in "\n\r")
            )
            both = int(np.isin(line_ends - 1, returns).sum())
            found["CRLF"] += both
            found["LF"] += line_ends.size - both
            found["CR"] += returns.size - both
            before += quotes.size
    found["CR"] += bool(carried) and before % 2 == 0
    return tuple(name for name, number in found.items() if number)


@contextmanager
def opened_bytes(source: Source) -> Iterator[BinaryIO]:
    """Open the bytes of a file, decompressed.

    Raises:
        UsageError: the file is not compressed as its name says, is cut short, or decompresses to too many bytes.
    """
    with source.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if source.compression == "gzip":
                with gzip.open(file) as unpacked:
                    yield bounded(cast("BinaryIO", unpacked), source.path, size)
            elif source.compression == "zstd":
                with pa.input_stream(file, compression="zstd") as stream:
                    yield bounded(cast("BinaryIO", stream), source.path, size)
            else:
                yield file
        except (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowInvalid) as error:
            raise _broken(source, error) from None
        except OSError as error:
            is_damage = source.compression == "zstd" and error.errno is None
            raise (_broken(source, error) if is_damage else error) from None


def line_too_long(source: Source) -> UsageError:
    """Return the error for a file with a line longer than MAX_LINE."""
    return UsageError(
        f"{source.path} has a line of more than {MAX_LINE:,} characters.",
        "Look for what is wrong with its line ends, or export the file again, with a line for each record.",
    )


def is_damaged(text: str) -> bool:
    """Return whether a text holds bytes that are invalid in the file's encoding."""
    return not text.isascii() and _HALF.search(text) is not None


def readable(text: str) -> str:
    """Return a damaged text with a replacement character for each invalid byte."""
    return _HALF.sub(REPLACEMENT, text)


def _broken(source: Source, error: Exception) -> UsageError:
    cut = isinstance(error, EOFError) or "Truncated" in str(error) or "truncated" in str(error)
    what = "is cut short" if cut else f"is not {source.compression} data to its end"
    return UsageError(f"{source.path} {what}.", "Copy or export it again; nothing of it was taken in.")


def _marked(head: bytes) -> tuple[str, int]:
    return next(((codec, len(mark)) for mark, codec in _MARKS if head.startswith(mark)), ("", 0))


def _wide(head: bytes) -> str:
    """Return UTF-16 of either byte order without a mark, by the places of zero bytes; empty if it is not UTF-16."""
    sample = head[:4096]
    even, odd, half = sample[0::2].count(0), sample[1::2].count(0), max(len(sample) // 2, 1)
    if odd > half * 0.4 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def _wide_ends(head: bytes, codec: str) -> tuple[str, ...]:
    return _ends(head.decode(codec, "ignore").encode("utf-8", "ignore"))


def _ends(block: bytes) -> tuple[str, ...]:
    if b"\r" not in block:
        return ("LF",) if b"\n" in block else ()
    both = block.count(b"\r\n")
    found = {"CRLF": both, "LF": block.count(b"\n") - both, "CR": block.count(b"\r") - both}
    return tuple(name for name, number in found.items() if number)


def _opens_a_cell(block: bytes) -> bool:
    """Return whether an apostrophe stands at the start of a line, or after a delimiter."""
    if b"'" not in block:
        return False
    codes = np.frombuffer(block, np.uint8)
    before = codes[np.flatnonzero(codes[1:] == ord("'"))]
    return bool(np.isin(before, np.frombuffer(b",;\t|\r\n", np.uint8)).any())


class _Encoding:
    """Finds the encoding of a file, block by block: UTF-8 if the file is pure ASCII or has any UTF-8 character.

    Otherwise the encoding is Windows-1252, if the bytes fit.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._some_utf_8 = self._damaged = self._not_1252 = False

    def add(self, block: bytes) -> None:
        if block.isascii() and self._decoder.getstate()[0] == b"":
            return
        text = self._decoder.decode(block)
        if text.isascii():
            return
        damaged = _ESCAPED.search(text) is not None
        self._damaged = self._damaged or damaged
        self._some_utf_8 = self._some_utf_8 or _BEYOND_ASCII.search(text) is not None
        self._not_1252 = self._not_1252 or (damaged and _is_not_1252(block))

    def found(self) -> tuple[str, str, bool] | None:
        """Return Python's name, the name for people, and whether some bytes are invalid; None if no encoding fits."""
        damaged = self._damaged or bool(self._decoder.decode(b"", final=True))
        if not damaged or self._some_utf_8:
            return "utf-8", "UTF-8", damaged
        return None if self._not_1252 else ("cp1252", "Windows-1252", False)


def _is_not_1252(block: bytes) -> bool:
    return bool(_UNDEFINED_1252.search(block) or _NOT_WESTERN.search(block))


class _LineEnds:
    """Finds the kinds of line ends in a file, and the bytes of the line that has not ended yet, block by block."""

    def __init__(self) -> None:
        self._kinds: dict[str, None] = {}
        self._carried, self._open = b"", 0

    def add(self, block: bytes) -> None:
        newest = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._open = len(block) - newest - 1 + (self._open if newest < 0 else 0)
        whole = self._carried + block
        self._carried = b"\r" if whole.endswith(b"\r") else b""  # perhaps the first half of CRLF
        self._kinds.update(dict.fromkeys(_ends(whole.removesuffix(self._carried))))

    @property
    def line_is_too_long(self) -> bool:
        """Whether the last line has too many bytes so far."""
        return self._open > MAX_LINE * _MOST_BYTES

    def found(self) -> tuple[str, ...]:
        return tuple({**self._kinds, **dict.fromkeys(_ends(self._carried))})


def _narrow(head: bytes, mark: int, file: BinaryIO, source: Source) -> Evidence:
    """Return the evidence of a file in an encoding of single bytes or UTF-8."""
    encoding, line_ends = _Encoding(), _LineEnds()
    empty, backslashes, apostrophes = True, False, False
    block, last = head[mark:], b"\n"
    while block:
        line_ends.add(block)
        if line_ends.line_is_too_long:
            raise line_too_long(source)
        encoding.add(block)
        empty = empty and not block.strip(b" \t\r\n\0")
        backslashes = backslashes or (b'\\"' in block and _BACKSLASHED.search(block) is not None)
        apostrophes = apostrophes or _opens_a_cell(last + block)
        last = block[-1:]
        block = file.read(_BLOCK)
    found = encoding.found()
    if found is None:
        raise UsageError(f"{source.path} is neither UTF-8 nor Windows-1252 text.", "Save it as UTF-8.")
    codec, name, damaged = found
    return Evidence(
        codec=codec,
        encoding=name,
        mark=mark,
        damaged=damaged,
        backslashes=backslashes,
        line_ends=line_ends.found(),
        empty=empty,
        apostrophes=apostrophes,
    )
