"""What a pull seldom meets: replies that a kill has cut off, times beyond all calendars, parts that are missing."""

import asyncio
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BusyError, DataError, StorageError
from pipelines.privacy import KEEP_ALL
from pipelines.pull.derived.audience_sizes import _is_answer
from pipelines.pull.derived.revenue_changes import _validate
from pipelines.pull.draft import _acquired
from pipelines.pull.replies.fetch import Replies
from pipelines.pull.replies.spool import Spool, _left_behind
from pipelines.pull.run import _latest_contacts
from pipelines.pull.write.keyless import _in_order
from pipelines.pull.write.odd_times import odd_times
from pipelines.pull.write.same_key import _Sighting
from pipelines.settings import load_settings
from pipelines.trackly.failures import Unreadable
from schemas.contacts import CONTACTS
from schemas.derived.arrow import arrow_schema
from schemas.revenue import REVENUE


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_size_that_is_no_answer_is_tried_again(body: bytes) -> None:
    with pytest.raises(Unreadable):
        _is_answer(body)
    _is_answer(b'{"size": 7}')


def test_a_line_that_a_kill_cut_off_ends_the_journal(tmp_path: Path) -> None:
    """What stands before it is taken up; a reply that cannot be read is asked for again."""
    spool = Spool.open(tmp_path / "spool", "account")
    moment = datetime.now(UTC)
    for page in range(30):
        spool.put(
            f"GET /contacts?page={page}", b"{cut" if page == 7 else b'{"contacts": []}', None, moment, moment
        )
    spool.close()
    journal = next(path for path in (tmp_path / "spool").iterdir() if b"GET" in path.read_bytes())
    journal.write_bytes(journal.read_bytes()[:-20])
    again = Spool.open(tmp_path / "spool", "account")
    assert set(again.earlier) == {f"GET /contacts?page={page}" for page in range(29)}

    async def resume() -> list[bool]:
        client: Any = None  # nothing is asked for
        replies = Replies(client, "contacts", KEEP_ALL, again, 10, lambda *_: None)
        return [
            replies._resume(f"GET /contacts?page={page}", lambda _: None) is not None for page in (6, 7, 29)
        ]

    assert asyncio.run(resume()) == [True, False, False]
    again.discard()
    assert _left_behind(tmp_path / "spool", "account") == []


def test_times_beyond_all_calendars_are_odd(tmp_path: Path) -> None:
    """The statistics of the file hold what Python has no date for."""
    schema = arrow_schema(CONTACTS)
    name = "signup_date"
    columns = {field.name: pa.nulls(2, field.type) for field in schema}
    for times, odd in (([2**61, 0], 2), ([2**61, 1_700_000_000_000_000], 1)):
        columns[name] = pa.array(times, pa.int64()).cast(schema.field(name).type)
        pq.write_table(pa.table(columns), tmp_path / "data.parquet")
        assert odd_times(CONTACTS, tmp_path / "data.parquet") == {name: odd}


def test_revenue_that_breaks_its_contract_is_not_published(tmp_path: Path) -> None:
    """Derived rows are ours: what is wrong with one is an error and no quarantine."""
    schema = arrow_schema(REVENUE)
    row = pa.table({field.name: pa.nulls(1, field.type) for field in schema})
    pq.write_table(row, tmp_path / "data.parquet")
    with pytest.raises(DataError, match="1 derived rows break the contract"):
        _validate(tmp_path / "data.parquet")


def test_without_contacts_there_is_nothing_to_derive_from(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no snapshot of them\. Pull contacts"):
        _latest_contacts(load_settings(_env_file=None, data_dir=tmp_path))


@given(st.lists(st.integers(0, 6), max_size=7))
def test_the_most_pairs_that_are_in_order(seconds: list[int]) -> None:
    """As many as any choice has."""
    pairs = list(enumerate(seconds))
    found = _in_order(pairs)
    choices = (one for size in range(len(pairs) + 1) for one in combinations(pairs, size))
    most = max(len(one) for one in choices if all(a[1] < b[1] for a, b in pairwise(one)))
    assert len(found) == most
    assert found == sorted(set(found) & set(pairs))
    assert [second for _, second in found] == sorted({second for _, second in found})


def test_two_rows_of_one_reply_are_two() -> None:
    one, other = (_Sighting(1, row, 7, (), None, None) for row in (1, 2))
    assert one.is_apart(other)
    assert not one.is_like(other)


def test_a_pull_that_does_not_end_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock"), pytest.raises(BusyError, match=r"has been under way for -?0 hours"):
        asyncio.run(_acquired(FileLock(tmp_path / "lock", is_singleton=False), "contacts", seconds=-0.1))
