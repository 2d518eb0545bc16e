"""The data file that is written while the scan goes on, against every version of every row that was read."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pull.draft import Draft
from pipelines.pull.replies.batches import batch_schema
from pipelines.pull.write.data_file import DataFile, Rows
from schemas.registry import PULLED

LISTS = PULLED["lists"]
Reply = list[int]
READ = st.lists(st.lists(st.lists(st.integers(1, 12), max_size=5), min_size=1, max_size=4), max_size=5)


@given(READ, st.booleans())
@settings(max_examples=examples(15))
def test_nothing_but_what_was_read_again_is_left_out(batches: list[list[Reply]], collide: bool) -> None:
    """Each row's latest version is there; what was left out was read again later, also where keys collide."""
    with TemporaryDirectory() as folder:
        draft = Draft(Path(folder), LISTS, "s1")
        file = DataFile(draft)
        first = 0
        for replies in batches:
            file.add(_rows(first, replies, collide=collide))
            first += len(replies)
        rows = file.finish()
        found = duckdb.sql(f"SELECT id, page FROM '{draft.data}'").fetchall()
    read = [(row, page) for page, reply in enumerate(chain.from_iterable(batches)) for row in reply]
    latest = dict(read)
    assert rows == len(found)
    assert set(latest.items()) <= set(found) <= set(read)
    repeated = [version for version in read if version[1] == latest[version[0]]]
    assert len([version for version in found if version[1] == latest[version[0]]]) == len(repeated)


def test_neighbours_leave_no_repeats(tmp_path: Path) -> None:
    """Where replies share rows with the next one only, and the last with the first, no row is there twice."""
    draft = Draft(tmp_path, LISTS, "s1")
    file = DataFile(draft)
    for first, replies in ((0, [[1, 2], [2, 3]]), (2, [[3, 4]]), (3, [[4, 5], [5, 6]]), (5, [[6], [1]])):
        file.add(_rows(first, replies, collide=False))
    file.finish()
    found = duckdb.sql(f"SELECT id, page, snapshot FROM '{draft.data}' ORDER BY id").fetchall()
    assert found == [(1, 6, "s1"), (2, 1, "s1"), (3, 2, "s1"), (4, 3, "s1"), (5, 4, "s1"), (6, 5, "s1")]


def _rows(first: int, replies: Sequence[Reply], *, collide: bool) -> Rows:
    """A batch: replies of lists' ids, numbered from `first`; with `collide` all keys are one."""
    ids = [row for reply in replies for row in reply]
    pages = [first + at for at, reply in enumerate(replies) for _ in reply]
    places = [place for reply in replies for place in range(len(reply))]
    schema = batch_schema(LISTS)
    keys = [0 if collide else row for row in ids]
    given = {"id": ids, "page": pages, "row": places, "row_key": keys}
    columns = [pa.array(given.get(field.name, [None] * len(ids)), field.type) for field in schema]
    return Rows.of(pa.Table.from_arrays(columns, schema=schema))
