"""Delimited text (`.csv`, `.tsv`, `.txt`) as records with their places, exactly as RFC 4180 has them or not at all.

A record that is not whole is held back with every line that it takes up: a quote that never closes would otherwise
swallow rows in silence. What does not belong here: bytes and encodings (`text_files`), and values (`formats`).
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, TextIO

from pipelines.errors import UsageError
from pipelines.push.columns import Columns, known, match, normal, rename
from pipelines.push.facts import Facts
from pipelines.push.formats import WHITE
from pipelines.push.records import Records
from pipelines.push.sources import Source
from pipelines.push.text_files import MAX_LINE, Evidence, is_damaged, line_too_long, look, opened_text
from schemas.columns import Dataset, Kind
from schemas.instants import parse_instant

_SAMPLE = 1 << 20
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_QUOTES = {'"': "double quotes", "'": "single quotes"}
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_BATCH_CHARACTERS = 16_000_000

MISFIT = "not as many columns as the header"
NOT_CLOSED = "a quote is not closed, or stands inside a text without being doubled"
BACKSLASH = "a quote is escaped by a backslash, which cannot be read for certain"
SKIP = "skip"
BACKSLASHED = '\\"'
BAD_BYTES = "holds bytes that are not text in the file's encoding"


@dataclass(slots=True)
class _Dialect:
    delimiter: str
    quote: str
    spaces: bool = False

    def reader(self, lines: Iterator[str] | TextIO) -> Any:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            skipinitialspace=self.spaces,
            strict=True,
        )

    def __str__(self) -> str:
        after = ", a space after each delimiter" if self.spaces else ""
        return f"{_DELIMITERS.get(self.delimiter, repr(self.delimiter))}, {_QUOTES[self.quote]}{after}"


@dataclass(slots=True)
class _Lines:
    """The lines of a file, of which those of the record that is being read are kept."""

    text: Iterator[str]
    source: Source
    record: list[str] = field(default_factory=list)
    characters: int = 0

    def __iter__(self) -> Iterator[str]:
        keep = self.record.append
        for line in self.text:
            if len(line) >= MAX_LINE and line[-1] not in "\r\n":
                raise line_too_long(self.source)
            self.characters += len(line)
            keep(line)
            yield line


def read_delimited(dataset: Dataset, source: Source, facts: Facts) -> Iterator[Records]:
    """The records of a file, in batches.

    Args:
        dataset: what they are of.
        source: the file.
        facts: filled in; complete at the end.

    Raises:
        UsageError: the file has no header, or its columns do not fit.
    """
    evidence = look(source)
    facts.note_text(evidence)
    csv.field_size_limit(MAX_LINE)
    with opened_text(source, evidence) as text:
        if evidence.empty and "part-" in source.path.name:  # Spark writes them
            return
        yield from _Reader(dataset, source, facts, evidence).batches(text)


class _Reader:
    """One pass over one file."""

    def __init__(self, dataset: Dataset, source: Source, facts: Facts, evidence: Evidence) -> None:
        self._dataset, self._source, self._facts, self._evidence = dataset, source, facts, evidence
        self._blank, self._headers = 0, 0

    def batches(self, text: TextIO) -> Iterator[Records]:
        lines = iter(partial(text.readline, MAX_LINE), "")
        before, first, said = self._first_line(lines)
        kept: list[str] = []
        sample = "".join(_peek(lines, kept))
        dialect = self._dialect(first, sample, said)
        self._facts.dialect = str(dialect)
        names = _cells(dialect, first)
        if known(self._dataset, names) == 0:
            raise UsageError(
                f"{self._source.path} has no header line: its first line names no column of {self._dataset.name}.",
                rename(self._dataset),
            )
        columns = match(self._dataset, names, self._source.path)
        self._facts.note_columns(columns)
        reader = _Whole(dialect, _Lines(chain(kept, lines), self._source), before)
        yield from self._records(reader, _Fit(self._dataset, names, columns, dialect), columns.places)
        if self._blank:
            self._facts.notes.append(f"{self._blank:,} blank rows skipped")
        if self._headers:
            self._facts.notes.append(
                f"the header is repeated {self._headers:,} times, as in files that were joined"
            )

    def _first_line(self, lines: Iterator[str]) -> tuple[int, str, str]:
        """How many lines were read, the first that is not blank, and the delimiter that a `sep=` line names."""
        said = ""
        for number, line in enumerate(lines, start=1):
            bare = line.strip(WHITE)
            if found := _SEP.fullmatch(bare.removesuffix("\t") if bare != "sep=" else bare):
                said = found[1]
                self._facts.notes.append("a sep= line names the delimiter")
            elif line.rstrip("\r\n") in ("sep=\t", '"sep=\t"'):
                said = "\t"
            elif bare.strip(",;|\t" + WHITE):
                return number, line, said
        raise UsageError(f"{self._source.path} has no header line.", rename(self._dataset))

    def _dialect(self, first: str, sample: str, said: str) -> _Dialect:
        """The delimiter and quote with which the header names most fields and most records fit it."""
        best, most = _Dialect(said or ",", '"'), (-1, -1)
        for delimiter in [said] if said else list(_DELIMITERS):
            tried = _Dialect(delimiter, '"')
            names = _cells(tried, first)
            score = known(self._dataset, names), _fitting(_rows(tried, sample), len(names))
            if score > most:
                best, most = tried, score
        single = _Dialect(best.delimiter, "'")
        if known(self._dataset, _cells(single, first)) > most[0] or _in_single_quotes(single, best, sample):
            best = single
        spaced = [cell.startswith(" ") for row in _rows(best, sample) for cell in row[1:] if cell]
        best.spaces = bool(spaced) and all(spaced)
        return best

    def _records(self, reader: "_Whole", fit: "_Fit", places: dict[str, int]) -> Iterator[Records]:
        """Batches of what `reader` yields, each record judged by its shape."""
        batch = Records(self._dataset, places)
        careful = self._evidence.damaged or self._evidence.backslashes
        width, kept = fit.width, reader.lines.record
        for found in reader:
            row, problem = found, ""
            if row is None:
                problem = NOT_CLOSED
            elif row and row[0] in fit.repeated and self._is_header(row, fit.names, reader.last):
                problem = SKIP
            elif len(row) != width or not any(row):
                row, problem = fit.odd(row)
                self._blank += problem == SKIP
            if row is not None and not problem:
                problem = self._doubt(row, reader, fit) if careful or reader.last > reader.first else ""
            if row is not None and not problem:
                batch.add(row, reader.first, reader.last)
            elif problem != SKIP:
                _add_broken(batch, kept, reader, problem)
            kept.clear()
            if batch.full or reader.lines.characters > _BATCH_CHARACTERS:
                yield batch
                batch, reader.lines.characters = Records(self._dataset, places), 0
        yield batch

    def _doubt(self, row: Sequence[str], reader: "_Whole", fit: "_Fit") -> str:
        """Why a record that has the right shape cannot be read for certain; empty where it can."""
        lines = reader.lines.record
        if reader.last > reader.first and fit.swallows(lines):
            return NOT_CLOSED
        if self._evidence.backslashes and any(BACKSLASHED in line for line in lines):
            return BACKSLASH
        return BAD_BYTES if self._evidence.damaged and any(map(is_damaged, row)) else ""

    def _is_header(self, row: Sequence[str], names: Sequence[str], line: int) -> bool:
        """Whether a row is the header again, as in files that were joined."""
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


class _Whole:
    """The records of a file, each with its place; None for one whose quotes are wrong."""

    def __init__(self, dialect: _Dialect, lines: _Lines, before: int) -> None:
        self.lines, self._before = lines, before
        self._reader = dialect.reader(iter(lines))
        self.first, self.last = before, before

    def __iter__(self) -> Iterator[list[str] | None]:
        while True:
            try:
                for row in self._reader:
                    self.first, self.last = self.last + 1, self._before + self._reader.line_num
                    yield row
            except csv.Error:  # the next record begins with the next line
                self.first, self.last = self.last + 1, self._before + self._reader.line_num
                yield None
            else:
                return


class _Fit:
    """Whether rows that are not as wide as the header can be read all the same, and whether rows hide in one."""

    def __init__(self, dataset: Dataset, names: list[str], columns: Columns, dialect: _Dialect) -> None:
        self.names, self.width = names, len(names)
        self._named = max(place for place, name in enumerate(names) if name) + 1
        self._dialect = dialect
        times = [f.name for f in dataset.fields if f.kind is Kind.INSTANT and f.name in columns.places]
        phones = [name for name in ("to_number", "phone_number") if name in columns.places]
        self._telling = [columns.places[name] for name in (*times, *phones)]
        spellings = {form(name) for name in dataset.columns for form in (str, str.upper, str.title)}
        self.repeated = {names[0], *spellings, *(f"\ufeff{name}" for name in (names[0], *spellings))}

    def odd(self, row: list[str]) -> tuple[list[str], str]:
        """A row that is blank or of another width: padded or cut where that loses nothing, else its problem."""
        if not any(cell.strip(WHITE) for cell in row):
            return row, SKIP
        if len(row) > self.width and not any(cell.strip(WHITE) for cell in row[self.width :]):
            return row[: self.width], ""
        if self._named <= len(row) < self.width:
            return row + [""] * (self.width - len(row)), ""
        return row, MISFIT

    def swallows(self, lines: Sequence[str]) -> bool:
        """Whether a line inside a record of several lines looks like a row of its own."""
        return any(self._looks_like_a_row(line) for line in lines[1:])

    def _looks_like_a_row(self, line: str) -> bool:
        if line.count(self._dialect.delimiter) < self._named - 1:
            return False
        cells = next(csv.reader([line], delimiter=self._dialect.delimiter, quotechar=self._dialect.quote), [])
        return any(
            place < len(cells)
            and (_PHONE.fullmatch(cell := cells[place].strip(WHITE)) or parse_instant(cell))
            for place in self._telling
        )


_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def _add_broken(batch: Records, lines: Sequence[str], at: _Whole, problem: str) -> None:
    """Every line of a record that is not whole, as a row that is left out."""
    if problem == NOT_CLOSED and any(BACKSLASHED in line for line in lines):
        problem = BACKSLASH
    place = f"lines {at.first} to {at.last}: " if at.last > at.first else ""
    for line in lines:
        if line.strip(WHITE):
            batch.add_broken(line, at.first, at.last, place + problem)


def _peek(lines: Iterator[str], kept: list[str]) -> Iterator[str]:
    """The beginning of a file; what is read of it is kept for reading it again."""
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        yield line
        if size > _SAMPLE:
            return


def _cells(dialect: _Dialect, line: str) -> list[str]:
    try:
        return [cell.strip(WHITE) for cell in next(dialect.reader(iter([line])), [])]
    except csv.Error:
        return [cell.strip(WHITE) for cell in line.rstrip("\r\n").split(dialect.delimiter)]


def _rows(dialect: _Dialect, sample: str) -> list[list[str]]:
    """The records of a sample that can be read."""
    reader = dialect.reader(io.StringIO(sample, newline=""))
    rows: list[list[str]] = []
    while True:
        try:
            for row in reader:
                rows.append(row)  # noqa: PERF402 - those before an error are kept
        except csv.Error:
            continue
        else:
            return rows


def _fitting(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many records are as wide as the header."""
    return sum(len(row) == width for row in rows)


def _in_single_quotes(single: _Dialect, double: _Dialect, sample: str) -> bool:
    """Whether texts are in single quotes: none is in double ones, and a column's are all, or more records fit."""
    rows, others = _rows(single, sample), _rows(double, sample)
    if any(cell.startswith('"') for row in rows for cell in row):
        return False
    for column in zip(*others, strict=False):
        texts = [cell for cell in column if cell]
        if len(texts) > 1 and all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in texts):
            return True
    width = max((len(row) for row in rows), key=[len(row) for row in rows].count, default=0)
    return len(rows) >= len(others) and _fitting(rows, width) > _fitting(others, width)
