"""Finds the dialect of a delimited file: its delimiter, its quote and spaces after delimiters, from the whole file.

What does not belong here: records (`reader`), and the columns that a header names (`values.columns`).
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from pipelines.push.files.find import Source
from pipelines.push.parse.text import Evidence, opened_text
from pipelines.push.values.columns import known, normal
from pipelines.push.values.formats import WHITE
from schemas.columns import PHONE, Dataset, Kind

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_QUOTES = {'"': "double quotes", "'": "single quotes"}


@dataclass(slots=True)
class Dialect:
    """How the cells of a line are separated and quoted.

    Attributes:
        delimiter: one character.
        quote: one character.
        spaces: whether a space after a delimiter is skipped, not part of the cell.
    """

    delimiter: str
    quote: str
    spaces: bool = False

    def reader(self, lines: Iterator[str] | TextIO) -> Any:
        """Return a reader of records that raises csv.Error for quotes that RFC 4180 does not allow."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            skipinitialspace=self.spaces,
            strict=True,
        )

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line, stripped; a line with wrong quotes is split at every delimiter."""
        try:
            return [cell.strip(WHITE) for cell in next(self.reader(iter([line])), [])]
        except csv.Error:
            return [cell.strip(WHITE) for cell in line.rstrip("\r\n").split(self.delimiter)]

    def is_open(self, line: str) -> bool:
        """Return whether the quotes of a line are wrong, or close only in a later line."""
        try:
            next(self.reader(iter([line])), [])
        except csv.Error:
            return True
        return False

    def __str__(self) -> str:
        after = ", a space after each delimiter" if self.spaces else ""
        return f"{DELIMITERS.get(self.delimiter, repr(self.delimiter))}, {_QUOTES[self.quote]}{after}"


@dataclass(frozen=True, slots=True)
class Body:
    """The records of a file after its header.

    Attributes:
        source: the file.
        evidence: what `look` found in the file.
        before: the number of lines before the first record.
    """

    source: Source
    evidence: Evidence
    before: int

    def all(self, dialect: Dialect) -> Iterator[list[str]]:
        """Yield all records that can be read; the file is opened again."""
        with opened_text(self.source, self.evidence) as text:
            for _ in range(self.before):
                text.readline()
            yield from _readable(dialect, text)


def judge(dataset: Dataset, header: str, body: Body, sep: str) -> tuple[Dialect, list[str]]:
    """Return the dialect in which the header names most fields and most records have its width.

    The whole file is read again if the header or `look` leaves a doubt.

    Args:
        dataset: the dataset of the rows.
        header: the first line.
        body: the records.
        sep: the delimiter that a `sep=` line names; else empty.

    Returns:
        The dialect, and sentences for the plan about texts in single quotes that were not taken for quoted.
    """
    best, notes = _with_delimiter(dataset, header, body, sep), []
    single = Dialect(best.delimiter, "'")
    if known(dataset, single.cells(header)) > known(dataset, best.cells(header)):
        best = single
    elif body.evidence.apostrophes or best.delimiter not in DELIMITERS:
        quotes = _SingleQuotes.of(body, (single, best), best.cells(header), dataset)
        if quotes.are_meant:
            best = single
        else:
            notes = quotes.notes(dataset)
    best.spaces = _has_spaces(body.all(best))
    return best, notes


def _with_delimiter(dataset: Dataset, header: str, body: Body, sep: str) -> Dialect:
    """Return the dialect with the likeliest delimiter and double quotes; arguments as for `judge`."""
    tried = [Dialect(delimiter, '"') for delimiter in ([sep] if sep else DELIMITERS)]
    named = [_named(dataset, dialect.delimiter, header) for dialect in tried]
    likely = [dialect for dialect, names in zip(tried, named, strict=True) if names == max(named)]
    if len(likely) == 1:
        return likely[0]
    return max(likely, key=lambda one: _fitting(body.all(one), len(one.cells(header))))


def _has_spaces(rows: Iterable[Sequence[str]]) -> bool:
    """Return whether a space follows every delimiter; reading stops at the first that has none."""
    spaced = (cell.startswith(" ") for row in rows for cell in row[1:] if cell)
    return next(spaced, False) and all(spaced)


@dataclass(frozen=True, slots=True)
class _SingleQuotes:
    """Evidence for and against single quotes as the quote character.

    Attributes:
        doubled: whether a cell begins with a double quote; if so, the rest is not examined.
        fits: whether more records have one width if single quotes are quotes.
        needed: whether a text in single quotes needs them: it has a line end or a doubled quote, or is a time, a
            number or a phone, which would be invalid if the quotes were part of it.
        columns: by name of a column, how many texts it has, and how many of them are in single quotes.
    """

    doubled: bool
    fits: bool
    needed: bool
    columns: dict[str, tuple[int, int]]

    @classmethod
    def of(
        cls, body: Body, dialects: tuple[Dialect, Dialect], names: Sequence[str], dataset: Dataset
    ) -> "_SingleQuotes":
        """Examine the whole file.

        Args:
            body: the records of the file.
            dialects: the one with single and the one with double quotes.
            names: the columns of the header.
            dataset: the dataset of the rows.
        """
        single, double = dialects
        widths = _widths_without_double_quotes(body.all(single))
        if widths is None:
            return cls(True, False, False, {})
        strict = _never_quoted(dataset)
        bare = {place for place, name in enumerate(names) if normal(name) in strict}
        found = _Wrapped.of(body.all(double), bare)
        ((width, fitting),) = widths.most_common(1) or [(0, 0)]
        fits = fitting > max(found.widths[width], found.widths[len(names)])
        columns = {name: (found.texts[at], found.wrapped[at]) for at, name in enumerate(names)}
        return cls(False, fits, found.needed, columns)

    @property
    def are_meant(self) -> bool:
        """Whether more records fit, or quotes are needed and each column has them in all texts or in none."""
        some = [texts == wrapped for texts, wrapped in self.columns.values() if wrapped]
        return self.fits or (self.needed and bool(some) and all(some))

    def notes(self, dataset: Dataset) -> list[str]:
        """Return a sentence for each field with single quotes around more than half of its texts."""
        return [
            f"{normal(name)}: {wrapped:,} of {texts:,} texts are in single quotes, which count as part of the text"
            for name, (texts, wrapped) in self.columns.items()
            if texts // 2 < wrapped and known(dataset, [name])
        ]


@dataclass(slots=True)
class _Wrapped:
    """Counts texts that are in single quotes when the file is read with double quotes.

    Attributes:
        widths: by number of cells, how many records have that width.
        texts: by column, how many cells are not empty.
        wrapped: by column, how many cells are in single quotes.
        needed: see `_SingleQuotes`.
    """

    widths: Counter[int]
    texts: Counter[int]
    wrapped: Counter[int]
    needed: bool

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]], bare: set[int]) -> "_Wrapped":
        """Count; `bare` are the columns whose values are invalid with quotes around them."""
        found = cls(Counter(), Counter(), Counter(), needed=False)
        for row in rows:
            found.widths[len(row)] += 1
            found.texts.update(place for place, cell in enumerate(row) if cell)
            places = _in_single_quotes(row)
            found.wrapped.update(places)
            found.needed = found.needed or any(place in bare or _needs_quotes(row[place]) for place in places)
        return found


def _widths_without_double_quotes(rows: Iterable[Sequence[str]]) -> Counter[int] | None:
    """Return how many records have each number of cells; None if a cell begins with a double quote."""
    widths: Counter[int] = Counter()
    for row in rows:
        if any(cell.startswith('"') for cell in row):
            return None
        widths[len(row)] += 1
    return widths


def _in_single_quotes(row: Sequence[str]) -> list[int]:
    return [place for place, cell in enumerate(row) if len(cell) > 1 and cell[0] == cell[-1] == "'"]


def _never_quoted(dataset: Dataset) -> set[str]:
    """Return the fields whose values are invalid with quotes around them."""
    return {
        field.name for field in dataset.fields if field.kind is not Kind.TEXT or PHONE in field.column.checks
    }


def _needs_quotes(cell: str) -> bool:
    """Return whether a text in single quotes needs them: a line end is in it, or each quote in it is doubled."""
    inside = cell[1:-1]
    return "\n" in inside or "\r" in inside or ("''" in inside and "'" not in inside.replace("''", ""))


def _named(dataset: Dataset, delimiter: str, header: str) -> int:
    """Return how many fields a header names, with the quote character that finds most."""
    return max(known(dataset, Dialect(delimiter, quote).cells(header)) for quote in _QUOTES)


def _readable(dialect: Dialect, lines: TextIO) -> Iterator[list[str]]:
    reader = dialect.reader(lines)
    while True:
        try:
            yield from reader
        except csv.Error:
            continue
        else:
            return


def _fitting(rows: Iterable[Sequence[str]], width: int) -> int:
    """Return how many records are as wide as the header."""
    return sum(len(row) == width for row in rows)
