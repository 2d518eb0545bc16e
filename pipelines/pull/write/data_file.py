"""Writes a snapshot's data file during the scan.

Planned windows overlap a little, so two versions of some rows are read shortly after each other; the later one is
kept. So a batch is written when the next one is there, without the rows that were read again in it. The first batch
waits for the end, since the scan reads the top once more. `deduplicate.conclude` finds rows that were read again
later: it checks every key and writes the file again if needed. What does not belong here: quarantined rows, and this
proof.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.databases.parquet_files import COMPRESSION
from pipelines.pull.draft import Draft
from pipelines.storage import storage_errors
from schemas.derived.arrow import TYPES
from schemas.own_tables.pull_columns import BOOKKEEPING

_Integers = npt.NDArray[np.int64]
_Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The good rows of a batch, and the integers that tell them apart.

    Attributes:
        table: the rows, as in a batch.
        keys: one integer per row, the scan's; two rows of one integer may still differ.
        pages: for each row the reply that it was read from.
    """

    table: pa.Table
    keys: _Keys
    pages: _Integers

    @classmethod
    def of(cls, table: pa.Table) -> "Rows":
        """Build the rows from a batch's table."""
        return cls(table, table["row_key"].to_numpy(), table["page"].to_numpy())

    def read_again_in(self, later: "Rows", key: tuple[str, ...]) -> tuple[npt.NDArray[np.bool_], bool]:
        """Return which of these rows were read again in another reply, later in this batch or in the other batch.

        Args:
            later: the other batch.
            key: the columns that tell rows apart.

        Returns:
            One flag per row; and whether a row had other neighbours when it was read again.
        """
        keys, pages = np.concatenate([self.keys, later.keys]), np.concatenate([self.pages, later.pages])
        repeated = np.flatnonzero(pd.Series(keys).duplicated(keep=False))  # few rows: only these are sorted
        repeated = repeated[np.argsort(pages[repeated], kind="stable")]
        _, inverse = np.unique(keys[repeated], return_inverse=True)
        last = np.zeros(len(repeated), np.int64)
        last[inverse] = repeated  # for equal indices, the last assignment counts
        latest = np.arange(len(keys))
        latest[repeated] = last[inverse]
        latest = latest[: len(self.keys)]
        mine = np.flatnonzero(pages[latest] > self.pages)
        both = pa.concat_tables([self.table.select(list(key)), later.table.select(list(key))])
        same = np.ones(len(mine), np.bool_)
        for name in key:
            equal = pc.equal(both[name].take(mine), both[name].take(latest[mine]))
            same &= equal.to_numpy().astype(np.bool_)
        again = np.zeros(len(self.keys), np.bool_)
        again[mine[same]] = True
        return again, _have_moved(keys, pages, mine[same], latest[mine[same]])


def _have_moved(keys: _Keys, pages: _Integers, rows: _Integers, others: _Integers) -> bool:
    """Whether a row has different neighbours on both sides than its counterpart.

    Args:
        keys: one per row.
        pages: the reply of each.
        rows: places in these arrays.
        others: the counterpart of each row.
    """
    alike = np.zeros(len(rows), np.bool_)
    for step in (-1, 1):
        beside, of_others = rows + step, others + step
        there = (beside >= 0) & (of_others >= 0) & (beside < len(keys)) & (of_others < len(keys))
        beside, of_others = np.where(there, beside, 0), np.where(there, of_others, 0)
        there &= (pages[beside] == pages[rows]) & (pages[of_others] == pages[others])
        alike |= there & (keys[beside] == keys[of_others])
    return not alike.all()


@dataclass(frozen=True, slots=True)
class Written:
    """The result of writing the data file.

    Attributes:
        rows: how many rows the file has.
        moved: see `DataFile`.
    """

    rows: int
    moved: bool


class DataFile:
    """The data file; closed at the end of a block.

    Args:
        draft: the snapshot of the file.

    Attributes:
        moved: whether a row had other neighbours when it was read again: it moved, or is another row.
    """

    def __init__(self, draft: Draft) -> None:
        self.moved = False
        self._rows = 0
        self._dataset = draft.dataset
        self._snapshot = draft.snapshot
        self._path = draft.data
        self._file: pa.OSFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._first: tuple[Rows, npt.NDArray[np.bool_]] | None = None
        self._waiting: Rows | None = None

    def add(self, rows: Rows) -> None:
        """Add the next batch, in the order of reading.

        Raises:
            StorageError: the disk refused.
        """
        if self._waiting is not None:
            self._let_go(self._waiting, rows)
        self._waiting = rows

    def finish(self) -> int:
        """Write the waiting rows, and end the file; return its number of rows.

        Raises:
            StorageError: the disk refused.
        """
        last = self._waiting
        if last is not None:
            self._let_go(last, _nothing_after(last))
            if self._first is not None:
                rows, again = self._first
                self._write(rows, again | self._read_again(rows, last))
        with storage_errors("write", self._path):
            self._open().close()
        self.close()
        return self._rows

    def close(self) -> None:
        """Release rows and file, also if the file could not be written to its end."""
        self._first = self._waiting = None
        if self._file is not None:
            self._file.close()

    def _let_go(self, rows: Rows, following: Rows) -> None:
        again = self._read_again(rows, following)
        if self._first is None:
            self._first = rows, again
        else:
            self._write(rows, again)

    def _read_again(self, rows: Rows, later: Rows) -> npt.NDArray[np.bool_]:
        again, moved = rows.read_again_in(later, self._dataset.key)
        self.moved |= moved
        return again

    def _write(self, rows: Rows, again: npt.NDArray[np.bool_]) -> None:
        table = rows.table.filter(pa.array(~again)) if again.any() else rows.table
        columns: dict[str, Any] = {name: table[name] for name in self._schema.names if name != "snapshot"}
        columns["snapshot"] = pa.repeat(pa.scalar(self._snapshot, pa.string()), table.num_rows)
        with storage_errors("write", self._path):
            self._open().write_table(
                pa.Table.from_arrays([columns[name] for name in self._schema.names], schema=self._schema)
            )
        self._rows += table.num_rows

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._file = pa.OSFile(str(self._path), "wb")
            self._writer = pq.ParquetWriter(
                self._file,
                self._schema,
                compression=COMPRESSION,
                write_statistics=_in_some_order(self._schema),
            )
        return self._writer

    @property
    def _schema(self) -> pa.Schema:
        fields = (*self._dataset.fields, *BOOKKEEPING.fields)
        return pa.schema([(field.name, TYPES[field.kind]) for field in fields])


def _in_some_order(schema: pa.Schema) -> list[str]:
    """Return the columns that get statistics for range queries; the least and greatest text are useless and slow."""
    return [
        field.name
        for field in schema
        if not pa.types.is_string(field.type) and not pa.types.is_list(field.type)
    ]


def _nothing_after(rows: Rows) -> Rows:
    return Rows(rows.table.slice(0, 0), rows.keys[:0], rows.pages[:0])
