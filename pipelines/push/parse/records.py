"""A batch of records of a text file, and its form as Arrow for the stage.

What does not belong here: how records are found (`delimited`, `json_lines`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.push.parse.text import readable
from schemas.columns import Dataset

BATCH_ROWS = 20_000
_NO_CELLS: Mapping[int, str] = {}


def schema(dataset: Dataset) -> pa.Schema:
    """Return the columns of a batch: `row`, `line`, `last_line`, the fields as texts, `problem`, `broken`."""
    numbers = [(name, pa.int64()) for name in ("row", "line", "last_line")]
    texts = [(name, pa.string()) for name in (*dataset.columns, "problem", "broken")]
    return pa.schema([pa.field(name, kind) for name, kind in (*numbers, *texts)])


class Records:
    """A batch of records: complete ones, and the lines of broken ones."""

    def __init__(self, dataset: Dataset, places: dict[str, int]) -> None:
        self._dataset, self._places = dataset, places
        self._rows: list[Sequence[str | None]] = []
        self._first: list[int] = []
        self._last: list[int] = []
        self._problems: dict[int, tuple[str, str | None]] = {}
        self._nothing = [None] * (max(places.values(), default=-1) + 1)

    @property
    def full(self) -> bool:
        """Whether the batch is large enough to be passed on."""
        return len(self._rows) >= BATCH_ROWS

    def add(self, row: Sequence[str | None], line: int, last_line: int, problem: str = "") -> None:
        """Add a record.

        Args:
            row: the cells, in the order of the columns' places; None for no value.
            line: its first line in the file, from 1.
            last_line: its last line.
            problem: what is wrong with the record; "" for nothing.
        """
        if problem:
            self._problems[len(self._rows)] = problem, None
        self._rows.append(row)
        self._first.append(line)
        self._last.append(last_line)

    def add_broken(
        self, text: str, line: int, last_line: int, problem: str, cells: Mapping[int, str] = _NO_CELLS
    ) -> None:
        """Add a line that is not a record, or is part of a broken one.

        Args:
            text: the line, or the lines.
            line: its first line in the file, from 1.
            last_line: its last line.
            problem: what is wrong with it.
            cells: the cells that can still be read, by their places.
        """
        self._problems[len(self._rows)] = problem, readable(text).rstrip("\r\n")
        self._rows.append(
            [cells.get(place) for place in range(len(self._nothing))] if cells else self._nothing
        )
        self._first.append(line)
        self._last.append(last_line)

    def arrow(self, before: int) -> pa.RecordBatch:
        """Return the batch as Arrow; its rows are numbered after those of earlier batches.

        Args:
            before: how many rows earlier batches have.
        """
        number = len(self._rows)
        cells = list(zip(*self._rows, strict=False)) if number else []
        nothing = pa.nulls(number, pa.string())
        problems: list[str | None] = [None] * number
        broken: list[str | None] = [None] * number
        for place, (problem, text) in self._problems.items():
            problems[place], broken[place] = problem, text
        return pa.record_batch(
            [
                pa.array(np.arange(before + 1, before + number + 1)),
                pa.array(self._first, pa.int64()),
                pa.array(self._last, pa.int64()),
                *(
                    pa.array(cells[self._places[name]], pa.string())
                    if name in self._places and cells
                    else nothing
                    for name in self._dataset.columns
                ),
                pa.array(problems, pa.string()) if self._problems else nothing,
                pa.array(broken, pa.string()) if self._problems else nothing,
            ],
            schema=schema(self._dataset),
        )

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, slots=True)
class Columnar:
    """A batch of records that were read as columns; each record is valid.

    Attributes:
        dataset: the dataset of the records.
        columns: the texts of each field.
        first: the first line of each record.
        last: the last line of each record.
    """

    dataset: Dataset
    columns: Mapping[str, "pa.Array[Any]"]
    first: "pa.Array[Any]"
    last: "pa.Array[Any]"

    def arrow(self, before: int) -> pa.RecordBatch:
        """Return the batch as Arrow, numbered as by `Records.arrow`."""
        number = len(self)
        nothing = pa.nulls(number, pa.string())
        texts = [self.columns.get(name, nothing) for name in self.dataset.columns]
        return pa.record_batch(
            [
                pa.array(np.arange(before + 1, before + number + 1)),
                self.first,
                self.last,
                *texts,
                nothing,
                nothing,
            ],
            schema=schema(self.dataset),
        )

    def __len__(self) -> int:
        return len(self.first)


def numbered(batches: Iterator[Records | Columnar]) -> Iterator[pa.RecordBatch]:
    """Yield batches as Arrow, their rows numbered from 1."""
    before = 0
    for batch in batches:
        if len(batch):
            yield batch.arrow(before)
            before += len(batch)
