"""Text and tables for a terminal of any width: lines end between words.

A table that does not fit is shown row by row.

What does not belong here: the consoles themselves (`consoles`).
"""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

_LEAST_LAST = 20
"""Least width of a table's last column, whose texts wrap; the other columns are not cut."""

_GAP = 2


def at_words(text: Text, width: int) -> Text:
    """Return a text whose lines end between words, with each line's indent kept; longer words are not broken.

    Args:
        text: any text.
        width: cells of a line.
    """
    lines = text.split("\n", allow_blank=True)
    return Text("\n").join(
        part for line in lines for part in hanging(line, width, len(line.plain) - len(line.plain.lstrip()))
    )


def hanging(line: Text, width: int, indent: int) -> Iterator[Text]:
    """Yield the lines of one line, broken between words.

    Args:
        line: without line ends.
        width: cells of a line.
        indent: width of the indent after the first line.
    """
    first, *rest = line.divide(_breaks(line.plain, width, indent))
    for part in (first, *rest):
        part.rstrip()
    yield first
    for part in rest:
        yield Text(" " * indent).append_text(part)


def _breaks(line: str, width: int, indent: int) -> list[int]:
    """Return the positions where new lines begin."""
    found: list[int] = []
    used = last = 0
    for word in re.finditer(r"\S+", line):
        wanted = used + word.start() - last + cell_len(word.group())
        if wanted > width and last:
            found.append(word.start())
            wanted = indent + cell_len(word.group())
        used, last = wanted, word.end()
    return found


def fits(table: Table, console: Console) -> bool:
    """Whether a table fits without cutting a text; its last column may wrap."""
    *widths, last = (_width(column, console) for column in table.columns)
    return sum(widths) + _GAP * len(widths) + min(last, _LEAST_LAST) <= console.width


def rows_as_lines(table: Table, console: Console) -> Text:
    """Return each row as lines: its first cell, and below it the other cells with the names of their columns."""
    names = [_text(column.header, console).plain for column in table.columns[1:]]
    shown: list[Text] = []
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        shown.append(_text(first, console))
        for name, cell in zip(names, (_text(other, console) for other in others), strict=True):
            if cell.plain:
                shown.append(Text(f"  {name}: " if name else "  ").append_text(cell))
    return Text("\n").join(shown)


def _width(column: Column, console: Console) -> int:
    texts = [_text(cell, console).plain for cell in (column.header, *column.cells)]
    return max(cell_len(line) for text in texts for line in (*text.splitlines(), ""))


def _text(cell: RenderableType, console: Console) -> Text:
    return cell if isinstance(cell, Text) else console.render_str(str(cell))
