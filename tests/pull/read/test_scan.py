"""The scan: whatever an account does while it is read, a scan that calls itself complete missed nothing.

The account here is a list in memory that changes between any two requests; only the wire is made up.
"""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import NotFoundError, ServiceError
from pipelines.pull.decode.row_keys import ReplyReader, Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import Evidence
from pipelines.pull.read.incremental import scan_new
from pipelines.pull.read.scan import _turns, scan
from pipelines.pull.replies.accept import Check
from pipelines.trackly.client import Query, Unreadable

Row = dict[str, Any]


@dataclass
class Account:
    """Rows newest first, a script of changes by request number, and what existed throughout."""

    rows: list[Row]
    script: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    seed: int = 0
    cap: int = 10_000
    requests: int = 0
    got: dict[int, int] = field(default_factory=dict)
    stayed: set[int] = field(default_factory=set)
    clock: int = 10**6
    changed: bool = False
    day: int = 1

    def __post_init__(self) -> None:
        self.stayed = {row["id"] for row in self.rows}
        self.random = random.Random(self.seed)

    def change(self, kind: str, where: int) -> None:
        """One change at a place that is taken modulo the number of rows."""
        self.clock += 1
        self.changed = True
        at = where % max(len(self.rows), 1)
        if kind == "sign up":
            self.rows.insert(0, {"id": self.clock, "at": self.clock, "v": 0})
        elif kind == "backdated":
            self.rows.insert(at, {"id": self.clock, "at": self.rows[at]["at"] if self.rows else 0, "v": 0})
        elif not self.rows:
            return
        elif kind == "delete":
            self.stayed.discard(self.rows.pop(at)["id"])
        elif kind == "update":
            self.rows[at] = {**self.rows[at], "v": self.clock}
        elif kind == "sign up again":
            self.rows.insert(0, {**self.rows.pop(at), "at": self.clock})

    def in_order(self) -> list[Row]:
        """The rows as this moment's reply has them: those of one day in any order."""
        if self.day == 1:
            return self.rows
        mixed = self.random.sample(self.rows, len(self.rows))
        return sorted(mixed, key=lambda row: -(row["at"] // self.day))

    def serve(self, query: Query) -> bytes:
        """Answer one request as the API would, after what the script has for this moment."""
        for kind, where in self.script.get(self.requests, ()):
            self.change(kind, where)
        self.requests += 1
        page, per_page = int(query["page"]), min(int(query["per_page"]), self.cap)
        rows = self.in_order()[(page - 1) * per_page : page * per_page]
        for row in rows:
            self.got[row["id"]] = row["v"]
        at = {"page": page, "per_page": per_page, "total": len(self.rows), "total_pages": 0}
        return json.dumps({"rows": rows, "pagination": at}).encode()

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG002 - no spool
        """One request that takes a random number of turns on its way there and back."""
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        body = self.serve(query)
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        return seen(body, check)


def seen(body: bytes, check: Check, order: str | None = None) -> Seen:
    """A reply as the scan is to see it, and whether it is the page asked for."""
    found = ReplyReader("rows", ("id", order or "at"), order)(body)
    check(found)
    return found


def rows(count: int) -> list[Row]:
    return [{"id": number, "at": number, "v": 0} for number in range(count, 0, -1)]


def run(account: Account, largest: int, concurrency: int) -> Evidence:
    endpoint = Endpoint("/rows", "rows", largest, ("id", "at"))
    return asyncio.run(scan(endpoint, account.fetch, concurrency))


def run_with(
    account: Account, change: Callable[[Query, Any], Any], largest: int = 50, order: str | None = None
) -> Evidence:
    """A scan whose every reply is changed on its way."""

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.dumps(change(query, json.loads(account.serve(query)))).encode()
        return seen(body, check, order)

    return asyncio.run(
        scan(
            Endpoint("/rows", "rows", largest, ("id", "at") if order is None else ("id", order), order=order),
            fetch,
            4,
        )
    )


KINDS = ("sign up", "backdated", "delete", "update", "sign up again")
CHANGES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10**6)), max_size=4)
SCRIPTS = st.dictionaries(st.integers(0, 40), CHANGES, max_size=12)


@given(
    count=st.integers(0, 900),
    largest=st.integers(20, 100),
    concurrency=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    script=SCRIPTS,
)
@settings(max_examples=examples(60), deadline=None)
def test_no_row_that_stayed_is_missed(
    count: int, largest: int, concurrency: int, seed: int, script: dict[int, list[tuple[str, int]]]
) -> None:
    """Under any changes between any two requests a complete scan holds every row that existed throughout."""
    account = Account(rows(count), script, seed)
    planned = count / (largest * 0.75) + 5
    evidence = run(account, largest, concurrency)
    if evidence.complete:
        assert account.stayed <= account.got.keys()
    assert account.requests <= planned + max(60, planned) + concurrency


@given(
    count=st.integers(0, 900), largest=st.integers(20, 100), concurrency=st.integers(1, 8), seed=st.integers()
)
@settings(max_examples=examples(40), deadline=None)
def test_a_quiet_account_is_read_exactly(count: int, largest: int, concurrency: int, seed: int) -> None:
    """Nothing changes: the scan is complete, sees no drift, and reads every row."""
    account = Account(rows(count), seed=seed)
    evidence = run(account, largest, concurrency)
    assert (evidence.complete, evidence.drifted, evidence.total) == (True, False, count)
    assert account.got.keys() == account.stayed


@given(count=st.integers(100, 900), concurrency=st.integers(1, 8), seed=st.integers(), data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_drift_hidden_in_an_unchanged_total_is_survived(
    count: int, concurrency: int, seed: int, data: st.DataObject
) -> None:
    """An insert for every delete leaves all totals equal, and still no row that stayed is missed."""
    places = st.integers(0, 10**6)
    script = {
        number: [("delete", data.draw(places)), ("backdated", data.draw(places))]
        for number in data.draw(st.sets(st.integers(1, 15), max_size=6))
    }
    account = Account(rows(count), script, seed)
    evidence = run(account, 50, concurrency)
    assert account.stayed <= account.got.keys() or not evidence.complete


@given(seed=st.integers(0, 10**6), bursts=st.lists(st.integers(-80, 80), min_size=1, max_size=6))
@example(seed=436, bursts=[-32, -80, -80])
@example(seed=12983, bursts=[-77, -57, 25, -51, -70])
@settings(max_examples=examples(40), deadline=None)
def test_bursts_larger_than_the_overlap_are_repaired(seed: int, bursts: list[int]) -> None:
    """Dozens of sign-ups or deletions at the top between two requests are bridged by extra requests."""
    script = {
        3 * number + 2: [("sign up" if burst > 0 else "delete", 0)] * abs(burst)
        for number, burst in enumerate(bursts)
    }
    account = Account(rows(1500), script, seed)
    evidence = run(account, 100, 4)
    assert evidence.complete
    assert account.stayed <= account.got.keys()


def test_the_later_version_of_a_row_comes_last() -> None:
    """A row that is read twice was updated in between: the second reading has the newer value."""
    account = Account(rows(30), {1: [("update", 19)]})
    run(account, 20, 1)
    assert account.got[11] > 0


def test_a_smaller_cap_of_the_server_is_honoured() -> None:
    """A server that gives fewer rows a page than asked for is read whole all the same."""
    account = Account(rows(500), cap=30)
    evidence = run(account, 100, 4)
    assert (evidence.complete, len(account.got)) == (True, 500)


@pytest.mark.parametrize("shown", ["a false page size", "no page size", "nothing"])
def test_a_smaller_cap_without_a_hint_is_noticed(shown: str) -> None:
    """A first page shorter than asked for is not taken for everything unless the total says so."""
    account = Account(rows(300), cap=30)

    def change(query: Query, body: Any) -> Any:
        at = body["pagination"]
        at["per_page"] = query["per_page"] if shown == "a false page size" else None
        return body if shown != "nothing" else {"rows": body["rows"]}

    evidence = run_with(account, change)
    assert (evidence.complete, len(account.got)) == (True, 300)


@pytest.mark.parametrize("count", [1, 37, 300])
@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("answer", ["refusal", "last page", "last page by its number"])
def test_whatever_answers_a_page_beyond_the_last_ends_the_scan(answer: str, paged: bool, count: int) -> None:
    """A refusal or the last page once more, in answer to a page beyond it, is no error and no row."""
    account = Account(rows(count), {3: [("delete", 0)] * (80 if count > 80 else 0)})

    def change(query: Query, body: Any) -> Any:
        page = int(query["page"])
        if page > 1 and not body["rows"]:
            if answer == "refusal":
                raise NotFoundError("no such page")
            last = max(1, -(-len(account.rows) // int(query["per_page"])))
            body = json.loads(account.serve({**query, "page": last}))
            body["pagination"]["page"] = last if answer == "last page by its number" else page
        if not paged:
            body["pagination"].pop("total")
        return body

    evidence = run_with(account, change)
    assert evidence.complete
    assert account.stayed <= account.got.keys()


def test_a_page_that_is_refused_in_the_middle_is_an_error() -> None:
    """A page that must be there by the total, and is refused for ever, is not taken for the end."""
    account = Account(rows(300))

    def change(query: Query, body: Any) -> Any:
        if int(query["page"]) > 3:
            raise NotFoundError("no such page")
        return body

    with pytest.raises(NotFoundError):
        run_with(account, change)


@pytest.mark.parametrize("day", [8, 15, 400])
@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_date_may_come_in_any_order(seed: int, day: int) -> None:
    """Where rows of one date change places with each reply, a scan joins pages by date, or says it cannot."""
    account = Account(rows(400), seed=seed, day=day)

    def change(query: Query, body: Any) -> Any:  # noqa: ARG001 - as run_with calls it
        for row in body["rows"]:
            row["on"] = f"{2000 + row['at'] // day}-01-01"
        return body

    evidence = run_with(account, change, 100, "on")
    assert evidence.complete == (day < 100)
    if evidence.complete:
        assert account.stayed <= account.got.keys()


@pytest.mark.parametrize("claimed", [0, 10, 299, 301, 5000, 10**9])
def test_a_lying_total_neither_loses_rows_nor_runs_on(claimed: int) -> None:
    """Whatever total the API claims, all rows are read, in about as many requests as there are pages."""
    account = Account(rows(300))

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.loads(account.serve(query))
        body["pagination"]["total"] = claimed
        return seen(json.dumps(body).encode(), check)

    evidence = asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 4))
    assert (len(account.got), evidence.total) == (300, claimed)
    assert account.requests < 50
    assert evidence.confirmed


@pytest.mark.parametrize("claimed", [0, 1, 60, 2_000, 5_900])
def test_a_total_far_too_low_does_not_end_a_long_scan(claimed: int) -> None:
    """Pages are read at the same cost as if there were no total, not one by one as what is missing between two."""
    account = Account(rows(6_000))
    evidence = run_with(
        account, lambda _, body: body | {"pagination": body["pagination"] | {"total": claimed}}
    )
    assert (len(account.got), evidence.complete, evidence.confirmed) == (6_000, True, True)
    assert account.requests < 2 * (6_000 / (50 * 0.9) + 20)


def test_without_any_pagination_the_end_is_found() -> None:
    """A paged endpoint that sends no pagination object is read to its end."""
    account = Account(rows(300))

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        return seen(json.dumps({"rows": json.loads(account.serve(query))["rows"]}).encode(), check)

    evidence = asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 4))
    assert (len(account.got), evidence.complete, evidence.total) == (300, True, None)


@pytest.mark.parametrize("silent", [True, False])
def test_a_page_that_comes_again_for_ever_is_refused(silent: bool) -> None:
    """A server that answers every page with the first one is not read as if that were the next page."""
    account = Account(rows(300))

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.loads(account.serve({**query, "page": 1}))
        if silent:
            body["pagination"]["page"] = query["page"]
        try:
            return seen(json.dumps(body).encode(), check)
        except Unreadable as problem:
            raise ServiceError(str(problem)) from problem

    with pytest.raises(ServiceError, match="in answer to page"):
        asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 4))


@pytest.mark.parametrize("size", [20, 50, 80])
def test_a_server_of_one_page_size_is_read_to_its_end_and_for_what_is_new(size: int) -> None:
    """Pages of one size, smaller or larger than asked for, are read whole, and down to what is known."""
    account = Account(rows(300))

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        return seen(account.serve({**query, "per_page": size}), check)

    endpoint = Endpoint("/rows", "rows", 50, ("id", "at"))
    found = asyncio.run(scan(endpoint, fetch, 4))
    assert (found.complete, found.drifted, len(account.got)) == (True, False, 300)
    account.got.clear()
    asyncio.run(scan_new(endpoint, fetch, lambda seen: len(account.got) >= 150 and bool(seen.keys)))
    assert set(range(151, 301)) <= account.got.keys()
    assert len(account.got) < 150 + 2 * size


def test_pages_of_one_size_that_differ_each_time_prove_nothing() -> None:
    """Of an account that never rests nothing is claimed where no page can overlap another."""
    account = Account(rows(60), {number: [("sign up", 0)] for number in range(200)})

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        return seen(account.serve({**query, "per_page": 20}), check)

    found = asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 2))
    assert (found.complete, found.drifted, found.confirmed) == (False, True, False)
    assert "others each time" in found.notes[-1]
    assert account.stayed <= account.got.keys()


def test_a_server_that_serves_only_so_many_rows_while_the_account_changes_is_incomplete() -> None:
    """More rows are missing than an account that is read may lose: the evidence says how many are served."""
    account = Account(rows(2_000), {number: [("sign up", 0)] for number in range(0, 60, 2)})

    def cut(query: Query, body: Any) -> Any:
        before = (int(query["page"]) - 1) * int(query["per_page"])
        return body | {"rows": body["rows"][: max(600 - before, 0)]}

    found = run_with(account, cut)
    assert (found.complete, found.drifted) == (False, True)
    assert "are served, while the account changed" in found.notes[-1]


def test_new_rows_that_come_faster_than_they_are_read_end_the_reading() -> None:
    """Looking for what is new goes on only as long as replies reach further down."""
    account = Account(rows(100), {number: [("sign up", 0)] * 60 for number in range(400)})
    found = asyncio.run(
        scan_new(Endpoint("/rows", "rows", 50, ("id", "at"), order="at"), _ordered(account), _never)
    )
    assert "rows came faster than they were read" in found.notes[-1]
    assert account.requests < 100


def _ordered(account: Account) -> Callable[..., Any]:
    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.loads(account.serve(query))
        body["rows"] = [
            row | {"at": datetime.fromtimestamp(row["at"], UTC).isoformat()} for row in body["rows"]
        ]
        return seen(json.dumps(body).encode(), check, "at")

    return fetch


def _never(_: Seen) -> bool:
    return False


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
