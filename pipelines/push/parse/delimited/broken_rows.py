"""Turns an unreadable record of a delimited file into rows that are left out: one row per line, with its line number.

Only the line in which a quote begins has to be corrected, so the reason names that line. What does not belong here:
finding the broken records (`reader`).
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.push.parse.delimited.dialect import Dialect
from pipelines.push.parse.delimited.row_fit import BACKSLASHED, Fit
from pipelines.push.parse.records import Records
from pipelines.push.values.formats import WHITE

NOT_CLOSED = "a quote is not closed, or stands inside a text without being doubled"
BACKSLASH = "a quote is escaped by a backslash, which cannot be read for certain"


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be read.

    Attributes:
        lines: the lines of the record.
        first: the number of its first line in the file, from 1.
        never_ends: whether the file ends inside the record's quotes.
    """

    lines: Sequence[str]
    first: int
    never_ends: bool


def add_broken(batch: Records, record: Broken, problem: str, fit: Fit) -> None:
    """Add every line of a broken record as a row that is left out.

    Args:
        batch: the batch to add the rows to.
        record: the broken record.
        problem: what is wrong with the record.
        fit: the shape of the file's rows.
    """
    is_open = problem == NOT_CLOSED
    why = _why_open(record, fit.dialect) if is_open else problem
    last = record.first + len(record.lines) - 1
    reason = f"lines {record.first} to {last}: {why}" if last > record.first else why
    for number, line in enumerate(record.lines, start=record.first):
        if line.strip(WHITE):
            key = fit.key(line, begins=number == record.first) if is_open else {}
            batch.add_broken(line, number, number, reason, key)


def _why_open(record: Broken, dialect: Dialect) -> str:
    if any(BACKSLASHED in line for line in record.lines):
        return BACKSLASH
    if len(record.lines) == 1 and not record.never_ends:
        return NOT_CLOSED
    begins = f"a quote that begins in line {record.first + _opening(record, dialect)}"
    if record.never_ends:
        return f"{begins} never closes"
    return f"{begins} is not closed, or one inside its text is not doubled"


def _opening(record: Broken, dialect: Dialect) -> int:
    """Return the last line, from 0, that opens a quote after it began outside of quotes or closed one."""
    # if the record ends before the file does, a quote in its last line is its end, not its beginning
    inner = record.lines[1:] if record.never_ends else record.lines[1:-1]
    again = [number for number, line in enumerate(inner, start=1) if _opens_again(line, dialect)]
    return again[-1] if again else 0


def _opens_again(line: str, dialect: Dialect) -> bool:
    """Return whether a line that begins inside quotes closes them and starts another cell."""
    if dialect.quote not in line:
        return False
    cells = csv.reader([dialect.quote + line], delimiter=dialect.delimiter, quotechar=dialect.quote)
    return len(next(cells, [])) > 1
