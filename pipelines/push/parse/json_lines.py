"""Reads JSON (`.ndjson`, `.jsonl`, `.json`) as records with their places: one object a line, or an array of objects.

What does not belong here: bytes and encodings (`text`), and what the texts mean (`values.formats`).
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from math import ulp
from typing import Any, TextIO

import msgspec

from pipelines.errors import UsageError
from pipelines.push.files.bounds import refuse_columns
from pipelines.push.files.find import Source
from pipelines.push.parse.facts import EMPTY, Facts
from pipelines.push.parse.fast_json_lines import Rules, read_block
from pipelines.push.parse.records import Columnar, Records
from pipelines.push.parse.text import MAX_LINE, is_damaged, line_too_long, look, opened_text
from pipelines.push.parse.wrapped_json import refuse_wrapped
from pipelines.push.values.columns import match, normal
from pipelines.push.values.formats import WHITE
from schemas.columns import Dataset, Field, Kind
from schemas.values.money import LARGEST

NOT_AN_OBJECT = "the line is not a JSON object"
BAD_BYTES = "holds bytes that are not text in the file's encoding"
TWO_KEYS = "has two keys for the same field"
_NESTED = "is nested, where a plain value belongs"
_LINES = "one object a line"
_BLOCK = 1 << 20
_BEGIN_OF_VALUE = re.compile(rf"[^\[\],{re.escape(WHITE)}]")
_BLOCK_CHARACTERS = 1 << 21
_MOST_LAYOUTS = 1_000
_BATCH_CHARACTERS = 16_000_000
_NOISE_ULPS = 3
_PLACES = 4

Place = tuple[str, int, int]
"""A record: its text, its first and its last line."""


class _Number(str):
    """A JSON number with a point or an exponent, as the file has it."""

    __slots__ = ()


_decoder = msgspec.json.Decoder(float_hook=_Number)
_decode = _decoder.decode


def read_json(
    dataset: Dataset, source: Source, facts: Facts, block: int = _BLOCK_CHARACTERS
) -> Iterator[Records | Columnar]:
    """Yield the records of a file, in batches.

    Args:
        dataset: the dataset of the records.
        source: the file.
        facts: filled in; complete when the last batch has been read.
        block: roughly how many characters are read as one block; with 0, line by line.

    Raises:
        UsageError: the file is not JSON, or its keys do not match.
    """
    evidence = look(source)
    facts.note_text(evidence)
    facts.note_ends(evidence.line_ends)
    if evidence.empty:
        facts.notes.append(EMPTY)
        return
    reader = _Reader(dataset, source, evidence.damaged)
    with opened_text(source, evidence) as text:
        number, first = _first_line(text, source)
        bare = first.strip(WHITE)
        facts.dialect = _dialect(bare) if bare else ""
        if facts.dialect == _LINES:
            yield from _blocks(text, first, number, reader, block)
        elif bare:
            yield from reader.batches(_values(first, number, text, source))  # with its line end, which counts
    if not reader.some:
        facts.notes.append(EMPTY)
        return
    if not reader.names:
        raise UsageError(
            f"{source.path} has no line that is a JSON object.",
            "NDJSON is one object a line; export it again.",
        )
    try:
        facts.note_columns(match(dataset, list(reader.names), source.path))
    except UsageError:
        with opened_text(source, evidence) as text:
            refuse_wrapped(text.read(MAX_LINE), dataset, source)
        raise


def _first_line(text: TextIO, source: Source) -> tuple[int, str]:
    """Return the number and the text of the first non-blank line; an empty text if there is none."""
    for number, line in enumerate(_lines(text, source), start=1):
        if line.strip(WHITE):
            return number, line
    return 1, ""


def _lines(text: TextIO, source: Source) -> Iterator[str]:
    for line in iter(partial(text.readline, MAX_LINE), ""):
        if len(line) >= MAX_LINE and line[-1] not in "\r\n":
            raise line_too_long(source)
        yield line


def _dialect(line: str) -> str:
    """Return how the records are arranged in a file, by its first line."""
    if line == "{":
        return "objects over several lines"
    return "one array" if line.startswith("[") and not _is_array_line(line) else _LINES


def _blocks(
    text: TextIO, first: str, number: int, reader: "_Reader", size: int
) -> Iterator[Records | Columnar]:
    """Yield plain blocks as columns, the others line by line.

    Args:
        text: the file after its first line.
        first: the first line.
        number: the number of the first line.
        reader: the reader of the file.
        size: `block` of `read_json`.
    """
    before, rest = number - 1, first
    while block := rest + text.read(size or _BLOCK) + text.readline(MAX_LINE):
        rest = ""
        columns = reader.columns(block, before) if size else None
        if columns is not None:
            yield columns
            before += len(columns)
            continue
        lines = list(_lines(io.StringIO(block, newline=""), reader.source))
        bare = ((line.strip(WHITE), at, at) for at, line in enumerate(lines, start=before + 1))
        yield from reader.batches(record for record in bare if record[0])
        before += len(lines)


def _is_array_line(line: str) -> bool:
    """Return whether a first line is an array without objects: a row that is not a record."""
    return line[1:].lstrip(WHITE)[:1] not in ("", "{", "]")


def _values(buffer: str, line: int, text: TextIO, source: Source) -> Iterator[Place]:
    """Yield the values of an array, or values that follow one another."""
    decoder, at, depth = json.JSONDecoder(), 0, 0
    while True:
        before, begins = at, _BEGIN_OF_VALUE.search(buffer, at)
        at = begins.start() if begins else len(buffer)
        line += buffer.count("\n", before, at)
        depth += buffer.count("[", before, at) - buffer.count("]", before, at)
        try:
            _, end = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError):
            more = text.read(_BLOCK)
            if not more and at >= len(buffer):
                return _refuse_open(depth, source)
            if not more or len(buffer) - at > MAX_LINE:
                raise UsageError(
                    f"{source.path} is no JSON from line {line} on.", "Export it again, as one object a line."
                ) from None
            buffer, at = buffer[at:] + more, 0
            continue
        value = buffer[at:end]
        lines = value.count("\n")
        yield value, line, line + lines
        line, at = line + lines, end


def _refuse_open(depth: int, source: Source) -> None:
    """Raise if an array has no end: its writer stopped between two rows, so rows are missing."""
    if depth > 0:
        raise UsageError(
            f"{source.path} is cut short: its array has no end.",
            "Copy or export it again; nothing of it was taken in.",
        )


class _Reader:
    """Turns objects into rows of texts."""

    def __init__(self, dataset: Dataset, source: Source, careful: bool) -> None:
        self._fields, self.source = dataset.fields, source
        self.places = {name: place for place, name in enumerate(dataset.columns)}
        self.names: dict[str, None] = {}
        self._careful = careful
        self._layouts: dict[tuple[str, ...], list[int]] = {}
        self._dataset = dataset
        self.some = False
        self._rules = Rules(dataset, _decoder.decode_lines, self._layout, _text)

    def batches(self, records: Iterator[Place]) -> Iterator[Records]:
        """Yield single records, in batches."""
        batch, characters = Records(self._dataset, self.places), 0
        for record in records:
            self.some = True
            self.add(batch, *record)
            characters += len(record[0])
            if batch.full or characters > _BATCH_CHARACTERS:
                yield batch
                batch, characters = Records(self._dataset, self.places), 0
        yield batch

    def columns(self, block: str, before: int) -> Columnar | None:
        """Read a block of complete lines as columns; None if anything in it may be wrong."""
        found = None if self._careful else read_block(block, self._rules, before)
        self.some = self.some or found is not None
        return found

    def add(self, batch: Records, text: str, line: int, last_line: int) -> None:
        """Add one record to a batch."""
        if self._careful and is_damaged(text):
            return batch.add_broken(text, line, last_line, BAD_BYTES)
        try:
            found: Any = _decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return batch.add_broken(text, line, last_line, NOT_AN_OBJECT)
        if type(found) is not dict:
            return batch.add_broken(text, line, last_line, NOT_AN_OBJECT)
        keys = tuple(found)
        layout = self._layouts.get(keys) or self._layout(keys)
        if text.count('":') != len(keys) and _repeats_a_key(text):
            return batch.add_broken(text, line, last_line, TWO_KEYS)
        row, problem = self._row(layout, found.values())
        return batch.add(row, line, last_line, problem)

    def _row(self, layout: Sequence[int], values: Iterable[Any]) -> tuple[list[str | None], str]:
        """Return the texts of an object, and what is wrong with the first value that is not valid."""
        row: list[str | None] = [None] * len(self._fields)
        problem = ""
        for place, value in zip(layout, values, strict=True):
            if place < 0 or value is None:
                continue
            if row[place] is not None:
                problem = problem or TWO_KEYS
            if type(value) is str:
                row[place] = value
            else:
                row[place], wrong = _text(self._fields[place], value)
                problem = problem or wrong
        return row, problem

    def _layout(self, keys: tuple[str, ...]) -> list[int]:
        """Return the place of each key's field, -1 for a key that is no field."""
        layout = [self.places.get(normal(key), -1) for key in keys]
        for key, place in zip(keys, layout, strict=True):
            if place >= 0:
                self.names.setdefault(self._fields[place].name)
            else:
                self.names.setdefault(key)
        refuse_columns(self.source.path, len(self.names))
        if len(self._layouts) < _MOST_LAYOUTS:
            self._layouts[keys] = layout
        return layout


def _repeats_a_key(text: str) -> bool:
    """Return whether an object has a repeated key, at any depth."""
    repeated = False

    def check(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=check)
    return repeated


def _text(field: Field, value: Any) -> tuple[str, str]:
    """Return a value that is not a string as a text, and what is wrong with it."""
    if isinstance(value, _Number):
        return _number(field, value)
    if isinstance(value, bool):
        wrong = "" if field.kind is Kind.FLAG else "is true or false, where neither belongs"
        return str(value).lower(), wrong and f"{field.name}: {wrong}"
    if isinstance(value, int):
        return str(value), ""
    return msgspec.json.encode(value).decode(), f"{field.name}: {_NESTED}"


def _number(field: Field, number: _Number) -> tuple[str, str]:
    """Return a JSON number, which most writers store as a float: as an exact text if possible, else as written."""
    if field.kind not in (Kind.MONEY, Kind.INTEGER):
        return str(number), f"{field.name}: is a float, which may have lost digits; export it as text"
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return str(number), ""
    if not exact:
        return "0", ""
    if abs(exact) >= LARGEST:
        return str(number), ""
    text = _amount(exact) if field.kind is Kind.MONEY else _whole(exact)
    return text or str(number), ""


def _amount(exact: Decimal) -> str:
    """Return an amount without float noise; empty if it still has more than 4 decimals."""
    rounded = round(exact, _PLACES)
    near = abs(exact) < 1e9 and abs(exact - rounded) <= Decimal(ulp(float(exact))) * _NOISE_ULPS
    return f"{rounded:f}" if exact == rounded or near else ""


def _whole(exact: Decimal) -> str:
    """Return a number without decimals; empty if it has some."""
    return f"{exact:.0f}" if exact == exact.to_integral_value() else ""
