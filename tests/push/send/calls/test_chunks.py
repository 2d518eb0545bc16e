"""Chunks are what the API takes, and no row is lost on the way into them."""

import json
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.push.ledger.statements import LedgerRows
from pipelines.push.send.calls.chunks import Batch, chunks
from pipelines.push.send.calls.sizes import Sizes

LIMITS = st.sampled_from([1, 3, 7])
ROWS = st.lists(st.tuples(st.integers(0, 40), LIMITS), max_size=40)


def batch(rows: list[tuple[int, int]], first: int) -> Batch:
    names = [str(first + place) for place in range(len(rows))]
    records = [json.dumps("x" * size).encode() + b"," for size, _ in rows]
    slack = pa.array([b"before", *records, b"after"], pa.binary())  # a slice has neighbours
    return Batch.of(LedgerRows.of([names]), slack[1:-1], [limit for _, limit in rows])


@given(batches=st.lists(ROWS, max_size=5), max_bytes=st.integers(60, 200))
def test_chunks_keep_every_bound(batches: list[list[tuple[int, int]]], max_bytes: int) -> None:
    """Every row is in one chunk, in order; no chunk breaks a bound; none could have had the next row too."""
    flat = [row for rows in batches for row in rows]
    starts = [sum(map(len, batches[:place])) for place in range(len(batches))]
    coming = (batch(rows, start) for rows, start in zip(batches, starts, strict=True))
    found = list(chunks(coming, Sizes(bytes=max_bytes)))
    assert [name for chunk in found for name in chunk.rows.identity] == [str(n) for n in range(len(flat))]
    for chunk in found:
        assert len(chunk.body()) == chunk.size <= max_bytes
        assert len(json.loads(chunk.body())["records"]) == chunk.count <= chunk.limit
        assert {flat[int(name)][1] for name in chunk.rows.identity} == {chunk.limit}
    for one, other in pairwise(found):
        size, _ = flat[int(other.rows.identity[0])]
        fits = one.size + len(f',"{"x" * size}"') <= max_bytes
        assert not (fits and one.count < one.limit and one.limit == other.limit)
