"""Rows without a key through the scan and back: as many as the account had, however often each was seen.

The account is a list in memory whose rows change places between requests; only the wire is made up.
"""

import asyncio
import json
import random
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.pull.consistency import judge
from pipelines.pull.decode.row_keys import ReplyReader, Seen, keyless
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import Evidence
from pipelines.pull.read.scan import scan
from pipelines.pull.read.windows import ending_of, is_keyed, linked, reaches_further
from pipelines.pull.replies.accept import Check
from pipelines.pull.write.keyless import Place, Shared, Sighting, latest_sightings
from pipelines.trackly.client import Query

Row = dict[str, Any]
ROWS = Endpoint("/rows", "rows", 50, ("id",))
_see = ReplyReader("rows", ("id",))
_PADDING = "long enough that its content distinguishes it"


class Account:
    """Rows of which some lack their id, a few contents among those, and what becomes of them while they are read."""

    def __init__(self, count: int, share: float, contents: int, churn: float, seed: int) -> None:
        self.chance = random.Random(seed)
        self.contents, self.share, self.churn = contents, share, churn
        self.numbers = 0
        self.rows = [self.new() for _ in range(count)]
        self.stayed, self.ever = self.counts(), self.counts()
        self.replies: list[tuple[str, list[Row]]] = []

    def new(self) -> Row:
        self.numbers += 1
        if self.chance.random() >= self.share:
            return {"id": self.numbers}
        return {"id": None, "pad": _PADDING, "content": self.chance.randrange(self.contents)}

    def counts(self) -> Counter[str]:
        return Counter(json.dumps(row) for row in self.rows if row["id"] is None)

    def change(self) -> None:
        """A few insertions and deletions anywhere, as often as the churn says."""
        if self.chance.random() >= self.churn:
            return
        for _ in range(self.chance.randrange(1, 4)):
            if self.chance.random() < 0.5 and self.rows:
                gone = self.rows.pop(self.chance.randrange(len(self.rows)))
                if gone["id"] is None:
                    self.stayed[json.dumps(gone)] -= 1
            else:
                row = self.new()
                self.rows.insert(self.chance.choice((0, self.chance.randrange(len(self.rows) + 1))), row)
                self.ever[json.dumps(row)] += row["id"] is None

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG002 - no spool
        self.change()
        page, per_page = int(query["page"]), int(query["per_page"])
        rows = self.rows[(page - 1) * per_page : page * per_page]
        at = {"page": page, "per_page": per_page, "total": len(self.rows)}
        seen = _see(json.dumps({"rows": rows, "pagination": at}).encode())
        check(seen)
        self.replies.append((f"GET /rows?page={page}&per_page={per_page}", rows))
        return seen


def read(account: Account) -> tuple[Evidence, Counter[str]]:
    """A scan, and the rows without a key that are found by it."""
    evidence = asyncio.run(scan(ROWS, account.fetch, 3))
    sightings: dict[Sighting, str] = {}
    keys: dict[int, dict[int, int]] = defaultdict(dict)
    for page, (_, rows) in enumerate(account.replies, 1):
        for place, row in enumerate(rows):
            text = json.dumps(row)
            if row["id"] is None:
                sightings[Sighting(page, place, keyless(text.encode()))] = text
            else:
                keys[row["id"]][page] = place
    shared = sorted(
        Shared(one, other, places[one], places[other])
        for places in keys.values()
        for one, other in combinations(sorted(places), 2)
    )
    where = {page: Place.of(request, len(rows)) for page, (request, rows) in enumerate(account.replies, 1)}
    latest = latest_sightings(list(sightings), shared, where, steady=not evidence.drifted)
    return evidence, Counter(sightings[one] for one in set(latest.values()))


@given(
    count=st.integers(0, 400),
    share=st.sampled_from([0.02, 0.15, 0.5, 0.9]),
    contents=st.sampled_from([1, 3, 10**9]),
    seed=st.integers(0, 10**6),
)
@example(count=337, share=0.9, contents=1, seed=341)  # two replies have one last row with a key
@settings(max_examples=examples(40))
def test_a_quiet_account_has_each_of_them_once(count: int, share: float, contents: int, seed: int) -> None:
    """Nothing changes: whatever their share, and however many are alike, the scan finds as many as there are.

    Where so few rows have keys that replies have to be joined, that is taken for drift, and none is lost.
    """
    account = Account(count, share, contents, 0, seed)
    evidence, found = read(account)
    assert not account.counts() - found
    if not evidence.drifted:
        assert found == account.counts()


@given(
    count=st.integers(0, 400),
    share=st.sampled_from([0.02, 0.15, 0.5]),
    contents=st.sampled_from([2, 10**9]),
    churn=st.sampled_from([0.2, 1.0]),
    seed=st.integers(0, 10**6),
)
@example(count=138, share=0.02, contents=2, churn=1.0, seed=650645)  # two alike, near by position only
@settings(max_examples=examples(60))
def test_those_that_stayed_are_there_and_none_twice(
    count: int, share: float, contents: int, churn: float, seed: int
) -> None:
    """Rows come and go between requests: of each content as many are found as stayed, and no more than ever were.

    Of many that are alike, some may count twice while all moves, but none is lost.
    """
    account = Account(count, share, contents, churn, seed)
    evidence, found = read(account)
    if contents > 2:
        assert not found - account.ever
    if evidence.complete:
        assert not +account.stayed - found


@pytest.mark.parametrize("run", [30, 130, 390])
@pytest.mark.parametrize("start", [0, 45, 200])
def test_a_long_run_of_rows_that_look_alike_is_counted_by_place(start: int, run: int) -> None:
    """No row in it proves that replies belong together, but none was seen to change: each place is a row."""
    account = Account(600, 0, 1, 0, 1)
    account.rows[start : start + run] = [{"id": None, "pad": _PADDING, "content": 0}] * run
    evidence, found = read(account)
    assert not evidence.drifted
    assert found == account.counts()
    assert run == 30 or not evidence.complete


def test_one_row_without_a_key_links_no_replies() -> None:
    """Its content may be another row's too; two that stand as far apart in both replies do, if they are alone so."""
    key, one, other, third = 1 << 40, 11, 12, 13
    assert is_keyed(key)
    assert not is_keyed(one)
    assert linked((1, key), (key, 2))
    assert not linked((0, one), (one, 0))
    assert not linked((one, 5, other), (one, other)), "they do not stand as far apart"
    assert not linked((one, one, other), (one, other)), "one of them is there twice"
    assert linked((5, one, other), (one, other, third))


def test_rows_without_a_key_below_the_last_key_reach_further_down() -> None:
    """The same last row with a key is not the same end: a reply with more rows below it goes on from the other."""
    key, below, plain, other = 1 << 40, (1 << 40) + 1, 11, 12
    assert not reaches_further((plain, key, plain), (key, plain))
    assert reaches_further((key, plain, plain), (key, plain))
    assert reaches_further((key, below), (key, plain, plain))
    assert not reaches_further((key, plain), (key, plain, below))
    assert reaches_further((plain, other), (plain, plain)), "without keys, by the last content"
    assert not reaches_further((plain, other), (other, other))
    assert ending_of((key, plain, key, plain)) == (key, plain)
    assert ending_of((plain, other)) == (plain, other)
    assert ending_of(()) == ()


@pytest.mark.parametrize(
    ("request_line", "start"),
    [
        ("GET /lists", 0),
        ("GET /offers?status=archived&page=3&per_page=90", 180),
        ("GET /c?page=1&per_page=1000", 0),
    ],
)
def test_a_reply_stands_where_it_was_asked_for(request_line: str, start: int) -> None:
    """The position of its first row follows from the page and its size."""
    assert Place.of(request_line, 1).start == start


@pytest.mark.parametrize("steady", [True, False])
def test_stretches_too_long_to_be_compared_pair_equal_rows_off_in_order(steady: bool) -> None:
    """Two replies of 2,100 such rows between the same neighbours, of which each has some that the other lacks."""
    one, other = [5, *range(10, 2_110)], [*range(10, 2_110), 6, 7]
    upper = [Sighting(1, row, content) for row, content in enumerate(one, 1)]
    lower = [Sighting(2, row, content) for row, content in enumerate(other, 1)]
    shared = [Shared(1, 2, 0, 0), Shared(1, 2, len(one) + 1, len(other) + 1)]
    places = {number: Place((), 0, 2_103 + number) for number in (1, 2)}
    latest = latest_sightings([*upper, *lower], shared, places, steady=steady)
    assert {one: latest[one] for one in upper[1:]} == dict(zip(upper[1:], lower[:2_100], strict=True))
    assert {latest[one] for one in (upper[0], *lower[-2:])} == {upper[0], *lower[-2:]}


def test_more_rows_than_claimed_are_named() -> None:
    """Where nothing is proven, rows may have been counted twice: the snapshot says how many at the most."""
    consistency, words = judge(Evidence(complete=False, total=4_000), 4_250)
    assert consistency == "fuzzy"
    assert "250 rows more than claimed" in words
    one_more, one_less = (judge(Evidence(complete=False, total=total), 100)[1] for total in (99, 101))
    assert "1 row more than claimed" in one_more
    assert "1 row that the API claims was not there" in one_less
