"""Rows that are served by their state: read in rounds, since each may be in another part at any moment."""

import asyncio
import json
import random
from itertools import islice

from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from listed_account import Account, Row, rows, seen

from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.scan import _turns, scan
from pipelines.pull.replies.accept import Check
from pipelines.trackly.client import Query


def test_a_row_that_moves_between_filters_is_not_lost() -> None:
    """A row that leaves the archive while the archive is read is found by the second look at the rest."""
    shelves: dict[str, list[Row]] = {"": rows(3), "archived": [{"id": 99, "at": 0, "v": 0}]}
    got: set[int] = set()

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        if query.get("status") == "archived":
            shelves[""] += shelves.pop("archived", [])
        found = shelves.get(str(query.get("status", "")), [])
        got.update(row["id"] for row in found)
        return seen(json.dumps({"rows": found}).encode(), check)

    endpoint = Endpoint("/rows", "rows", 0, ("id",), ({}, {"status": "archived"}))
    asyncio.run(scan(endpoint, fetch, 1))
    assert got == {1, 2, 3, 99}


STATES = Endpoint("/rows", "rows", 50, ("id",), ({"state": "on"}, {"state": "off"}))


class Switching:
    """Rows that are asked for by their state, and change it at given requests; what a scan got of them."""

    def __init__(self, flips: dict[int, set[int]], off: set[int]) -> None:
        self.off, self.flips, self.requests = set(off), flips, 0
        self.got: set[int] = set()

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG002 - no spool
        for row, moments in self.flips.items():
            if self.requests in moments:
                self.off ^= {row}
        self.requests += 1
        wanted = [row for row in range(30) if (row in self.off) == (query["state"] == "off")]
        start = (int(query["page"]) - 1) * int(query["per_page"])
        served = wanted[start : start + int(query["per_page"])]
        self.got.update(served)
        at = {"page": query["page"], "per_page": query["per_page"], "total": len(wanted)}
        body = {"rows": [{"id": row} for row in served], "pagination": at}
        return seen(json.dumps(body).encode(), check)


@given(
    flips=st.dictionaries(st.integers(0, 29), st.sets(st.integers(0, 25), max_size=3), max_size=6),
    off=st.sets(st.integers(0, 29)),
    seed=st.text(max_size=3),
)
@settings(max_examples=examples(60), deadline=None)
def test_rows_that_change_their_state_up_to_three_times_are_never_missed(
    flips: dict[int, set[int]], off: set[int], seed: str
) -> None:
    """Whenever they do, and whichever order the run draws; a double flip between two queries is one of the ways."""
    account = Switching(flips, off)
    evidence = asyncio.run(scan(STATES, account.fetch, 2, seed))
    assert len(account.got) == 30 or not evidence.complete


@given(st.dictionaries(st.integers(0, 29), st.sets(st.integers(0, 60)), min_size=1, max_size=4), st.data())
@settings(max_examples=examples(40), deadline=None)
def test_no_schedule_that_is_fixed_before_hides_a_row_from_every_run(
    flips: dict[int, set[int]], data: st.DataObject
) -> None:
    """Of the orders that a run may draw, at most one for each row that moves misses it without a word."""
    off = data.draw(st.sets(st.sampled_from(sorted(flips))))
    missed: list[set[int]] = []
    for seed in _one_seed_for_each_order():
        account = Switching(flips, off)
        evidence = asyncio.run(scan(STATES, account.fetch, 1, seed))
        missed.append(set(range(30)) - account.got if evidence.complete else set())
    for row in range(30):
        assert sum(row in of for of in missed) <= 1


def _one_seed_for_each_order() -> list[str]:
    by_turns = {tuple(islice(_turns(str(number)), 4)): str(number) for number in range(40)}
    assert len(by_turns) == 4
    return list(by_turns.values())


def test_a_row_in_exact_step_hides_in_one_order_only() -> None:
    """The worst case: it is in the other state at every query of one order."""
    hidden = []
    for aimed_at in _one_seed_for_each_order():
        wanted = [at for turn in islice(_turns(aimed_at), 9) for at in ((1, 0) if turn else (0, 1))]
        avoiding = [1 - at for at in wanted]
        flips = {0: {n for n in range(1, len(avoiding)) if avoiding[n] != avoiding[n - 1]}}
        for seed in _one_seed_for_each_order():
            account = Switching(flips, {0} if avoiding[0] else set())
            evidence = asyncio.run(scan(STATES, account.fetch, 1, seed))
            if evidence.complete and 0 not in account.got:
                hidden.append((aimed_at, seed))
    assert hidden == [(seed, seed) for seed in _one_seed_for_each_order()]


@given(
    states=st.lists(st.booleans(), min_size=80, max_size=80),
    moments=st.sets(st.integers(0, 60)),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=examples(30), deadline=None)
def test_a_reading_in_parts_by_a_state_is_never_a_proof(
    states: list[bool], moments: set[int], seed: int
) -> None:
    """An API that serves only so many rows of a query, and rows that change between the parts, at random moments."""
    endpoint = Endpoint("/rows", "rows", 20, ("id", "at"), states=({"on": "true"}, {"on": "false"}))
    account, chance = Account(rows(80), seed=seed), random.Random(seed)

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        if account.requests in moments:
            states[chance.randrange(80)] ^= True
        account.requests += 1
        chosen = [
            row
            for row, on in zip(account.rows, states, strict=True)
            if query.get("on", on) in (on, str(on).lower())
        ]
        start, size = (int(query["page"]) - 1) * int(query["per_page"]), int(query["per_page"])
        at = {"page": query["page"], "per_page": size, "total": len(chosen)}
        return seen(
            json.dumps({"rows": chosen[start : min(start + size, 60)], "pagination": at}).encode(), check
        )

    evidence = asyncio.run(scan(endpoint, fetch, 2))
    assert not evidence.complete
    assert "a state that can change, which proves nothing" in " ".join(evidence.notes)
