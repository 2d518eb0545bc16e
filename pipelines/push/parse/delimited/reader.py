"""Reads delimited text (`.csv`, `.tsv`, `.txt`) as records with their places, strictly as RFC 4180 defines them.

If a record is not complete, every line of it is held back: a quote that never closes would otherwise swallow rows
unnoticed. What does not belong here: bytes and encodings (`text`), rows of another width (`row_fit`), and values
(`values.formats`).
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TextIO

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.parse.delimited.broken_rows import BACKSLASH, NOT_CLOSED, Broken, add_broken
from pipelines.push.parse.delimited.dialect import Body, Dialect, judge
from pipelines.push.parse.delimited.fast_blocks import Shape, read_block
from pipelines.push.parse.delimited.row_fit import BACKSLASHED, SKIP, Fit
from pipelines.push.parse.facts import EMPTY, Facts
from pipelines.push.parse.records import Columnar, Records
from pipelines.push.parse.text import (
    MAX_LINE,
    Evidence,
    is_damaged,
    line_too_long,
    look,
    opened_text,
    record_ends,
)
from pipelines.push.values.columns import known, match, name_columns, normal
from pipelines.push.values.formats import WHITE
from pipelines.text.humanize import plural
from schemas.columns import Dataset

_SAMPLE = 1 << 20
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_BATCH_CHARACTERS = 16_000_000
_BLOCK = 1 << 21

SPACED = (
    "a quote after a space, and not every delimiter has one: it is not clear whether it is part of the text"
)
BAD_BYTES = "holds bytes that are not text in the file's encoding"


class _Lines:
    """The rest of a text, as blocks of complete lines or as single lines; the lines of a record are kept."""

    def __init__(self, text: TextIO, source: Source, size: int) -> None:
        self._text, self._source, self._rest, self._most = text, source, "", size
        self._block, self._size = io.StringIO(), 0
        self.record: list[str] = []
        self.characters, self.before, self.ended = 0, 0, False

    def block(self) -> str:
        """Return the next lines; empty at the end. The caller gives unused text back with `skip` or `open`."""
        if len(self._rest) > self._most and (end := self._rest.find("\n", self._most) + 1):
            block, self._rest = self._rest[:end], self._rest[end:]
            return block
        rest, self._rest = self._rest, ""
        more = self._text.read(self._most)
        return rest + more + (self._text.readline(MAX_LINE) if more else "")

    def skip(self, lines: int, rest: str) -> None:
        """Count lines of a block that were read, and give back the rest of it."""
        self.before += lines
        self._rest = rest + self._rest

    def open(self, block: str) -> None:
        """Give a block back, to be read line by line."""
        self._block, self._size = io.StringIO(block, newline=""), len(block)

    @property
    def between(self) -> bool:
        """Whether the block that was opened has been read to its end."""
        return self._block.tell() == self._size

    def __iter__(self) -> Iterator[str]:
        keep = self.record.append
        while self._size:
            for line in iter(partial(self._block.readline, MAX_LINE), ""):
                if len(line) >= MAX_LINE and line[-1] not in "\r\n":
                    raise line_too_long(self._source)
                self.characters += len(line)
                keep(line)
                yield line
            self.open(self.block())
        self.ended = True


def read_delimited(
    dataset: Dataset, source: Source, facts: Facts, block: int = _BLOCK
) -> Iterator[Records | Columnar]:
    """Yield the records of a file, in batches.

    Args:
        dataset: the dataset of the records.
        source: the file.
        facts: filled in; complete when the last batch has been read.
        block: roughly how many characters are read as one block; with 0, record by record.

    Raises:
        UsageError: the file has no header, or its columns do not match.
    """
    evidence = look(source)
    facts.note_text(evidence)
    csv.field_size_limit(MAX_LINE)
    with opened_text(source, evidence) as text:
        if evidence.empty:
            facts.notes.append(EMPTY)
            return
        yield from _Reader(dataset, source, facts, evidence).batches(text, block)


class _Reader:
    """One pass over one file."""

    def __init__(self, dataset: Dataset, source: Source, facts: Facts, evidence: Evidence) -> None:
        self._dataset, self._source, self._facts, self._evidence = dataset, source, facts, evidence
        self._blank, self._headers = 0, 0
        self._careful = evidence.damaged or evidence.backslashes

    def batches(self, text: TextIO, block: int) -> Iterator[Records | Columnar]:
        before, first, named = self._first_line(iter(partial(text.readline, MAX_LINE), ""))
        sample = text.read(_SAMPLE) + text.readline(MAX_LINE)
        body = Body(self._source, self._evidence, before)
        dialect, notes = judge(self._dataset, first, body, named)
        self._facts.dialect = str(dialect)
        self._facts.notes += notes
        self._facts.note_ends(record_ends(self._source, self._evidence, dialect.quote))
        names = dialect.cells(first)
        if known(self._dataset, names) == 0:
            raise UsageError(
                f"{self._source.path} has no header line: its first line names no column of {self._dataset.name}.",
                name_columns(self._dataset),
            )
        if dialect.is_open(first):
            raise UsageError(
                f"{self._source.path} has a quote in its header line that is not closed there.",
                "Correct its first line: the columns after it are not known.",
            )
        columns = match(self._dataset, names, self._source.path)
        self._facts.note_columns(columns)
        fit = Fit(self._dataset, names, columns, dialect)
        fit.trailing = _trailing(body.all(dialect), names)
        lines = _Lines(text, self._source, block or _BLOCK)
        lines.skip(before, sample)
        shape = fit.shape(self._dataset, columns.places, self._evidence) if block else None
        yield from self._blocks(lines, fit, shape, columns.places)
        if self._blank:
            self._facts.notes.append(f"{plural(self._blank, 'blank row')} skipped")
        if self._headers:
            self._facts.notes.append(
                f"the header is repeated {plural(self._headers, 'time')}, as in files that were joined"
            )

    def _first_line(self, lines: Iterator[str]) -> tuple[int, str, str]:
        """Return the number of lines read, the first non-blank line, and the delimiter that a `sep=` line names."""
        named = ""
        for number, line in enumerate(lines, start=1):
            bare = line.strip(WHITE)
            if found := _SEP.fullmatch(bare.removesuffix("\t") if bare != "sep=" else bare):
                named = found[1]
            elif line.rstrip("\r\n") in ("sep=\t", '"sep=\t"'):
                named = "\t"
            elif bare.strip(",;|\t" + WHITE):
                if named:
                    self._facts.notes.append("a sep= line names the delimiter")
                return number, line, named
        raise UsageError(f"{self._source.path} has no header line.", name_columns(self._dataset))

    def _blocks(
        self, lines: _Lines, fit: Fit, shape: Shape | None, places: dict[str, int]
    ) -> Iterator[Records | Columnar]:
        """Yield plain blocks as columns; read the others record by record, up to the next block."""
        while text := lines.block():
            block = read_block(text, shape, lines.before) if shape else None
            if block:
                lines.skip(block.lines, block.rest)
                yield block.records
            else:
                lines.open(text)
                yield from self._records(_Rows(fit.dialect, lines), fit, places)

    def _records(self, reader: "_Rows", fit: Fit, places: dict[str, int]) -> Iterator[Records]:
        """Yield batches of the records of `reader`, each record checked for its shape, to the end of a block."""
        batch = Records(self._dataset, places)
        kept = reader.lines.record
        for found in reader:
            row, problem = self._judged(found, reader, fit)
            if not problem:
                batch.add(row, reader.first, reader.last)
            elif problem != SKIP:
                add_broken(batch, Broken(kept, reader.first, reader.never_ends), problem, fit)
            kept.clear()
            if batch.full or reader.lines.characters > _BATCH_CHARACTERS:
                yield batch
                batch, reader.lines.characters = Records(self._dataset, places), 0
            if reader.lines.between:
                break
        reader.lines.before = reader.last
        yield batch

    def _judged(self, row: list[str] | None, reader: "_Rows", fit: Fit) -> tuple[list[str], str]:
        """Return a record and why it cannot be read; SKIP if it holds no data."""
        if row is None:
            return [], NOT_CLOSED
        if row and row[0] in fit.repeated and self._is_header(row, fit.names, reader.last):
            return row, SKIP
        if len(row) != fit.width or not any(row):
            row, problem = fit.odd(row)
            self._blank += problem == SKIP
            if problem:
                return row, problem
        return row, self._doubt(row, reader, fit) if self._is_doubtful(reader, fit) else ""

    def _is_doubtful(self, reader: "_Rows", fit: Fit) -> bool:
        """Return whether a record of the right width needs the full check; most do not."""
        return self._careful or reader.last > reader.first or fit.may_be_spaced(reader.lines.record)

    def _doubt(self, row: Sequence[str], reader: "_Rows", fit: Fit) -> str:
        """Return why a record of the right width cannot be read for certain; empty if it can."""
        lines = reader.lines.record
        if reader.last > reader.first and fit.swallows(lines):
            return NOT_CLOSED
        if fit.is_spaced(row, lines):
            return SPACED
        if self._evidence.backslashes and any(BACKSLASHED in line for line in lines):
            return BACKSLASH
        return BAD_BYTES if self._evidence.damaged and any(map(is_damaged, row)) else ""

    def _is_header(self, row: Sequence[str], names: Sequence[str], line: int) -> bool:
        """Return whether a row repeats the header, as in files that were joined."""
        again = [normal(cell) for cell in row]
        if again == [normal(name) for name in names]:
            self._headers += 1
            return True
        needed = {column.name for column in self._dataset.fields if not column.nullable}
        if needed <= set(again):
            raise UsageError(
                f"{self._source.path} has a second header in line {line}, with other columns than the first.",
                "It is two exports in one file: split it there.",
            )
        return False


class _Rows:
    """Yields the records of a file, and None for a record with wrong quotes; `first` and `last` are its lines."""

    def __init__(self, dialect: Dialect, lines: _Lines) -> None:
        self.lines, self._before = lines, lines.before
        self._reader = dialect.reader(iter(lines))
        self.first, self.last, self.never_ends = lines.before, lines.before, False

    def __iter__(self) -> Iterator[list[str] | None]:
        while not self.lines.between:
            try:
                for row in self._reader:
                    self.first, self.last = self.last + 1, self._before + self._reader.line_num
                    yield row
            except csv.Error:  # the next record begins with the next line
                self.first, self.last = self.last + 1, self._before + self._reader.line_num
                self.never_ends = self.lines.ended
                yield None


def _trailing(rows: Iterator[list[str]], names: Sequence[str]) -> int:
    """Return how many empty cells every row has after the last column; 0 if the rows differ in it.

    Blank rows, repeated headers and rows with too many values are ignored.
    """
    found = 0
    for row in rows:
        cells = [cell.strip(WHITE) for cell in row]
        more = cells[len(names) :]
        if cells == names or any(more) or not any(cells):
            continue
        if not more or (found and len(more) != found):
            return 0
        found = len(more)
    return found
