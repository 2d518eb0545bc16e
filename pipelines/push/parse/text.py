"""Text files as lines: decompressed, in the encoding that the whole file is evidence of, with any kind of line end.

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
"""Characters; a record beyond 5 MB cannot be sent anyway."""

REPLACEMENT = "\ufffd"
_BLOCK = 1 << 20
_MOST_BYTES = 4  # of a character
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
"""How files begin that are no text, whatever their name says."""
_ESCAPED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\0-\x7f\udc80-\udcff]")
_HALF = re.compile("[\ud800-\udfff]")
_UNDEFINED_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_WESTERN = re.compile(rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{4}")
"""Four accented letters in a row are no word of a Western language, but usual in Cyrillic or Greek code pages."""
_BACKSLASHED = re.compile(rb'\\"[^",;\t|\r\n]')
"""A quote after a backslash that neither ends its field nor is doubled: whoever wrote it escapes by backslash."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a look at every byte of a text file found.

    Attributes:
        codec: Python's name of the encoding.
        encoding: its name for people.
        mark: how many bytes of byte order mark it begins with.
        damaged: whether some bytes are no text in that encoding; `is_damaged` finds their lines.
        backslashes: whether quotes are escaped by backslashes.
        line_ends: the kinds of line ends, for people.
        empty: whether there is nothing but white space.
        apostrophes: whether a cell may begin with one.
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
    """Read a file once for evidence.

    Raises:
        UsageError: it is damaged, or its encoding is unclear.
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
                codec, codec.upper().removesuffix("-LE").removesuffix("-BE"), mark, True, False, ends, empty
            )
        return _narrow(head, mark, file, source)


@contextmanager
def opened_text(source: Source, evidence: Evidence) -> Iterator[TextIO]:
    """The file's text; lines keep their ends, whichever they are, and bytes that are no text become half characters.

    Raises:
        UsageError: it is damaged, or is no text of its encoding.
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
    """The kinds of line ends outside of quotes: those inside are part of a text.

    Args:
        source: the file.
        evidence: what `look` found; where all of its line ends are of one kind, it is not read again.
        quote: one ASCII character.
    """
    if len(evidence.line_ends) < 2:
        return evidence.line_ends
    found = dict.fromkeys(("CRLF", "LF", "CR"), 0)
    carried, before = "", 0
    with opened_text(source, evidence) as text:
        while block := text.read(_BLOCK):
            whole = carried + block
            carried = "\r" if whole.endswith("\r") else ""  # perhaps the first half of a line end
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
    """The file's bytes, decompressed.

    Raises:
        UsageError: it is not compressed as its name says, is cut short, or unfolds without end.
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
    """What is wrong with a file of which a line is longer than MAX_LINE."""
    return UsageError(
        f"{source.path} has a line of more than {MAX_LINE:,} characters.",
        "Look for what is wrong with its line ends, or export the file again, with a line for each record.",
    )


def is_damaged(text: str) -> bool:
    """Whether a text holds bytes that are no text in the file's encoding."""
    return not text.isascii() and _HALF.search(text) is not None


def readable(text: str) -> str:
    """A damaged text with a replacement for what cannot be shown."""
    return _HALF.sub(REPLACEMENT, text)


def _broken(source: Source, error: Exception) -> UsageError:
    cut = isinstance(error, EOFError) or "Truncated" in str(error) or "truncated" in str(error)
    what = "is cut short" if cut else f"is not {source.compression} data to its end"
    return UsageError(f"{source.path} {what}.", "Copy or export it again; nothing of it was taken in.")


def _marked(head: bytes) -> tuple[str, int]:
    return next(((codec, len(mark)) for mark, codec in _MARKS if head.startswith(mark)), ("", 0))


def _wide(head: bytes) -> str:
    """UTF-16 without a mark, by where the zero bytes are; empty where it is not."""
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
    """Whether an apostrophe stands at the start of a line, or behind a delimiter."""
    if b"'" not in block:
        return False
    codes = np.frombuffer(block, np.uint8)
    before = codes[np.flatnonzero(codes[1:] == ord("'"))]
    return bool(np.isin(before, np.frombuffer(b",;\t|\r\n", np.uint8)).any())


class _Encoding:
    """Which encoding the bytes of a file are of, block by block: UTF-8 as far as anything in it is.

    Else it is Windows-1252, where that fits.
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
        """Its name in Python, its name for people, and whether some bytes are no text in it; None where none fits."""
        damaged = self._damaged or bool(self._decoder.decode(b"", final=True))
        if not damaged or self._some_utf_8:
            return "utf-8", "UTF-8", damaged
        return None if self._not_1252 else ("cp1252", "Windows-1252", False)


def _is_not_1252(block: bytes) -> bool:
    return bool(_UNDEFINED_1252.search(block) or _NOT_WESTERN.search(block))


class _LineEnds:
    """The kinds of line ends of a file, and the size of the line that is not yet ended, block by block."""

    def __init__(self) -> None:
        self._kinds: dict[str, None] = {}
        self._carried, self._open = b"", 0

    def add(self, block: bytes) -> None:
        newest = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._open = len(block) - newest - 1 + (self._open if newest < 0 else 0)
        whole = self._carried + block
        self._carried = b"\r" if whole.endswith(b"\r") else b""  # perhaps the first half of a line end
        self._kinds.update(dict.fromkeys(_ends(whole.removesuffix(self._carried))))

    @property
    def line_is_too_long(self) -> bool:
        """Whether the last line, so far as it is read, has too many bytes."""
        return self._open > MAX_LINE * _MOST_BYTES

    def found(self) -> tuple[str, ...]:
        return tuple({**self._kinds, **dict.fromkeys(_ends(self._carried))})


def _narrow(head: bytes, mark: int, file: BinaryIO, source: Source) -> Evidence:
    """Evidence of a file of bytes."""
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
    return Evidence(codec, name, mark, damaged, backslashes, line_ends.found(), empty, apostrophes)
