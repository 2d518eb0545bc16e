"""The ledger's rows in columns, for stage and warehouse; a separate module, as `status` must not import pyarrow.

What does not belong here: the ledger's verbs and counts (`ledger.ledger`, `sums`).
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from pipelines.push.ledger.db.engine import one_view
from pipelines.push.ledger.db.row_outcome import by_call, of_row
from pipelines.push.ledger.db.tables import CHUNKS, PACKS, ROWS
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.packed_rows import decoded, known_by

_PACKS = 125  # packs read in one step: about the rows of a DuckDB row group, which DuckDB loads fastest if it is full
_SELDOM = ("contact", "list_ref")  # only clicks and revenue need them, from their sends

COLUMNS: dict[str, pa.DataType] = {
    "identity": pa.string(),
    "chunk": pa.int64(),
    "outcome": pa.string(),
    "own": pa.bool_(),
    "current": pa.bool_(),
    "ours": pa.bool_(),
    "packed": pa.bool_(),
    "tries": pa.int64(),
    "code": pa.string(),
    "message": pa.string(),
    "message_id": pa.string(),
    "contact": pa.string(),
    "list_ref": pa.string(),
    "content": pa.int64(),
    "likeness": pa.int64(),
    "source": pa.int64(),
    "amount": pa.int64(),
}
"""The columns of `ledger_rows`: those of push_rows, and

outcome  the outcome of the row: its own, else the one that its chunk gives
own      whether the outcome is its own
ours     whether the row belongs to this part of the input
packed   whether the row is in a pack
"""


def ledger_rows(
    ledger: Ledger, dataset: str, names: Sequence[str], batch: int = 50_000, *, every_part: bool = False
) -> Iterator[pa.Table]:
    """Yield every row of a dataset that was ever in an intent of this part of the input, in batches.

    Args:
        ledger: an open ledger.
        dataset: the dataset.
        names: names out of COLUMNS, in the order wanted.
        batch: rows of a batch.
        every_part: also yield rows of other parts.

    Yields:
        Tables with those columns.
    """
    known: dict[str, sa.ColumnElement[Any]] = {
        "outcome": of_row(dataset),
        "own": sa.case((ROWS.c.outcome.is_not(None), 1), else_=0),
        "current": sa.case((ROWS.c.current, 1), else_=0),
        "ours": sa.case((CHUNKS.c.part == ledger.part, 1), else_=0),
        "packed": sa.literal(0),
    }
    query = (
        sa.select(*(known[name] if name in known else ROWS.c[name] for name in names))
        .join(CHUNKS, CHUNKS.c.chunk == ROWS.c.chunk)
        .where(ROWS.c.dataset == dataset, sa.true() if every_part else CHUNKS.c.part == ledger.part)
    )
    schema = pa.schema([(name, COLUMNS[name]) for name in names])
    packs = (
        sa.select(
            PACKS.c.chunk, PACKS.c.current, PACKS.c.rows, by_call(dataset), CHUNKS.c.part == ledger.part
        )
        .join(CHUNKS, CHUNKS.c.chunk == PACKS.c.chunk)
        .where(PACKS.c.dataset == dataset, sa.true() if every_part else CHUNKS.c.part == ledger.part)
    )
    with ledger.begin() as connection:
        one_view(connection)  # a pack may be opened meanwhile
        yield from _fetched(connection, query, schema, batch)
        yield from _unpacked(connection, packs, schema)


def _fetched(
    connection: sa.Connection, query: sa.Select[Any], schema: pa.Schema, batch: int
) -> Iterator[pa.Table]:
    """Yield the rows of a query in batches from the driver, because SQLAlchemy's rows cost more than the query.

    Args:
        connection: a connection within a transaction.
        query: its columns are in the order of the schema; flags are 0 and 1.
        schema: the schema of the tables.
        batch: rows of a table.
    """
    dialect = connection.dialect
    sql = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    driver: Any = connection.connection
    # a named cursor of PostgreSQL reads from the server step by step; an unnamed one would load all rows
    cursor = driver.cursor("rows") if dialect.name == "postgresql" else driver.cursor()
    try:
        cursor.execute(sql)
        while True:
            with _no_collection():
                rows = cursor.fetchmany(batch)
                if not rows:
                    return
                arrays = [
                    pa.array(column, pa.int8() if field.type == pa.bool_() else field.type).cast(field.type)
                    for column, field in zip(zip(*rows, strict=True), schema, strict=True)
                ]
            yield pa.table(arrays, schema=schema)
    finally:
        cursor.close()


def _unpacked(connection: sa.Connection, query: sa.Select[Any], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of packs, many packs in one table, because each array has a fixed cost."""
    found = connection.execution_options(yield_per=_PACKS).execute(query)
    for packs in found.partitions():
        with _no_collection():
            table = _of_packs(schema, packs)
        yield table


def _of_packs(schema: pa.Schema, packs: Sequence[sa.Row[Any]]) -> pa.Table:
    """Return the rows of packs, given by chunk, current, rows, outcome and whether the pack is of this part."""
    chunks, current, contents, outcomes, ours = zip(*packs, strict=True)
    identities, digests = zip(*map(known_by, contents), strict=True)
    sizes = [len(those) for those in identities]
    by_pack = {
        "chunk": chunks,
        "outcome": outcomes,
        "current": list(map(bool, current)),
        "ours": list(map(bool, ours)),
    }
    same = {"own": False, "packed": True, "tries": 1}
    pack_of = np.repeat(np.arange(len(sizes)), sizes)

    def column(name: str, kind: pa.DataType) -> Any:
        if name == "identity":
            return pa.array(list(chain.from_iterable(identities)), kind)
        if name == "content":
            return pa.concat_arrays(map(_digests, digests, sizes))
        if name in by_pack:
            of_packs: Any = pa.array(by_pack[name], kind)
            return of_packs.take(pack_of)
        if name in _SELDOM:
            texts = (
                decoded(content).get(name, [None] * size)
                for content, size in zip(contents, sizes, strict=True)
            )
            return pa.array(list(chain.from_iterable(texts)), kind)
        value: Any = pa.scalar(same.get(name), kind)
        return pa.repeat(value, sum(sizes))

    return pa.table([column(field.name, field.type) for field in schema], schema=schema)


def _digests(kept: bytes, rows: int) -> "pa.Array[Any]":
    """Return the digests of a pack; nulls if it has none."""
    return pa.array(np.frombuffer(kept, np.int64)) if kept else pa.nulls(rows, pa.int64())


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection for the block: to search so many tuples for cycles takes longer than the work."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
