"""Decides what to do with rows that are not as wide as the header, and with records that may hide other rows.

What does not belong here: finding records (`reader`), and the dialect (`dialect`).
"""

import csv
import re
from collections.abc import Sequence

from pipelines.push.parse.delimited.dialect import DELIMITERS, Dialect
from pipelines.push.parse.delimited.fast_blocks import Shape
from pipelines.push.parse.text import Evidence, is_damaged
from pipelines.push.values.columns import Columns
from pipelines.push.values.formats import WHITE
from schemas.columns import Dataset, Kind
from schemas.values.instants import parse_instant
from schemas.values.phones import E164

MISFIT = "not as many columns as the header"
TRAILING = f"{MISFIT}; a delimiter ends this line, but not all lines: it may be part of a text without quotes"
SKIP = "skip"
BACKSLASHED = '\\"'
_PHONE = re.compile(E164)


class Fit:
    """Decides whether a row of another width can be read, and whether rows hide in a record.

    Args:
        dataset: what the file holds.
        names: its header, cell by cell.
        columns: which of these are columns of the dataset.
        dialect: how the file is written.

    Attributes:
        width: how many cells the header has.
        trailing: how many more, all empty, every row of the file has; set by whoever has looked at all of them.
        repeated: with what a row begins that may be the header again.
    """

    def __init__(self, dataset: Dataset, names: list[str], columns: Columns, dialect: Dialect) -> None:
        self.names, self.width, self.trailing = names, len(names), 0
        self._named = max(place for place, name in enumerate(names) if name) + 1
        self.dialect = dialect
        delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
        self._after_space, self._spaced = f" {dialect.quote}", re.compile(f"{delimiter} +{quote}(?!{quote})")
        self._telling = _places_of_times_and_phones(dataset, columns)
        self._keys = [columns.places[name] for name in dataset.key if name in columns.places]
        self.repeated = _first_cells_of_a_header(dataset, names[0])

    def shape(self, dataset: Dataset, places: dict[str, int], evidence: Evidence) -> Shape | None:
        """Return the shape of rows that need no careful reading; None if all rows need it.

        Args:
            dataset: the dataset of the rows.
            places: the column of each field.
            evidence: what `look` found in the text.
        """
        if self.dialect.spaces or self.dialect.delimiter not in DELIMITERS:
            return None
        return Shape(
            dataset=dataset,
            delimiter=self.dialect.delimiter,
            quote=self.dialect.quote,
            width=self.width,
            named=self._named,
            places=places,
            headers=frozenset(self.repeated),
            backslashed=BACKSLASHED if evidence.backslashes else "",
            like_a_row=self.like_a_row,
        )

    def odd(self, row: list[str]) -> tuple[list[str], str]:
        """Return a row of another width, padded or cut if that loses nothing, and its problem; SKIP if blank."""
        if not any(cell.strip(WHITE) for cell in row):
            return row, SKIP
        if len(row) > self.width and not any(cell.strip(WHITE) for cell in row[self.width :]):
            return (row[: self.width], "") if len(row) == self.width + self.trailing else (row, TRAILING)
        if self._named <= len(row) < self.width:
            return row + [""] * (self.width - len(row)), ""
        return row, self._misfit(row)

    def _misfit(self, row: list[str]) -> str:
        for delimiter, name in DELIMITERS.items():
            if (
                delimiter != self.dialect.delimiter
                and sum(cell.count(delimiter) for cell in row) == self.width - 1
            ):
                return f"{MISFIT}; it seems to be delimited by {name}, unlike the file"
        return MISFIT

    def may_be_spaced(self, lines: Sequence[str]) -> bool:
        """Return whether a quote stands after a space somewhere; a quick check."""
        return not self.dialect.spaces and any(self._after_space in line for line in lines)

    def is_spaced(self, row: Sequence[str], lines: Sequence[str]) -> bool:
        """Return whether a cell begins with a space and a quote, as if a space followed the delimiter."""
        return (
            self.may_be_spaced(lines)
            and any(cell.startswith(" ") and cell.lstrip(" ").startswith(self.dialect.quote) for cell in row)
            and any(map(self._spaced.search, lines))
        )

    def swallows(self, lines: Sequence[str]) -> bool:
        """Return whether a line inside a record of several lines looks like a row of its own.

        The last line does not count if no line before it has the delimiters of a row: it is then the rest of a record
        whose first cell has a line break.
        """
        before = [line for line in lines[:-1] if line.count(self.dialect.delimiter) >= self._named - 1]
        return any(self.like_a_row(line) for line in (lines[1:] if before else lines[1:-1]))

    def like_a_row(self, line: str) -> bool:
        """Return whether a line inside a record looks like a row of its own."""
        if line.count(self.dialect.delimiter) < self._named - 1:
            return False
        cells = next(csv.reader([line], delimiter=self.dialect.delimiter, quotechar=self.dialect.quote), [])
        return any(
            place < len(cells)
            and (_PHONE.fullmatch(cell := cells[place].strip(WHITE)) or parse_instant(cell))
            for place in self._telling
        )

    def key(self, line: str, *, begins: bool) -> dict[int, str]:
        """Return the key in a line of an incomplete record, by place; only cells that are complete before any quote.

        Args:
            line: the line as it is in the file.
            begins: whether it is the first line of its record.
        """
        if not begins and not self.like_a_row(line):
            return {}
        head, quote, _ = line.rstrip("\r\n").partition(self.dialect.quote)
        cells = head.split(self.dialect.delimiter)
        whole = cells[:-1] if quote else cells
        return {
            place: whole[place] for place in self._keys if place < len(whole) and not is_damaged(whole[place])
        }


def _places_of_times_and_phones(dataset: Dataset, columns: Columns) -> list[int]:
    """Return the columns whose values tell a row of this dataset from a line of a text."""
    times = [field.name for field in dataset.fields if field.kind is Kind.INSTANT]
    names = (*times, "to_number", "phone_number")
    return [columns.places[name] for name in names if name in columns.places]


def _first_cells_of_a_header(dataset: Dataset, first: str) -> set[str]:
    """Return the first cells that a repeated header may have, also with the byte order mark of a joined file."""
    spellings = {form(name) for name in dataset.columns for form in (str, str.upper, str.title)} | {first}
    return spellings | {f"\ufeff{name}" for name in spellings}
