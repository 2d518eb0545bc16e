"""The scan: whatever an account does while it is read, a scan that calls itself complete missed nothing.

Rows that are served by their state are read in `test_states`.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from listed_account import Account, rows, run, run_with, seen

from pipelines.errors import NotFoundError, ServiceError
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.incremental import scan_new
from pipelines.pull.read.pages import UNPAGED_ROWS
from pipelines.pull.read.scan import scan
from pipelines.pull.replies.accept import Check
from pipelines.trackly.client import Query, Unreadable

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


@pytest.mark.parametrize("size", [None, 50])
def test_a_page_that_is_refused_in_the_middle_is_an_error(size: int | None) -> None:
    """A page that must be there by the total, and is refused for ever, is not taken for the end.

    Where pages are of one size neither.
    """
    account = Account(rows(300))

    def change(query: Query, body: Any) -> Any:
        if int(query["page"]) > 3:
            raise NotFoundError("no such page")
        return json.loads(account.serve({**query, "per_page": size})) if size else body

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


@pytest.mark.parametrize("largest", [50, 0], ids=["paged", "not paged"])
@pytest.mark.parametrize("total", ["none", "of the page", "of all"])
@pytest.mark.parametrize(
    ("size", "beyond"),
    [(37, "nothing"), (80, "nothing"), (80, "refusal"), (80, "last page")],
)
@pytest.mark.parametrize("count", [60, 160, 333])
def test_a_first_page_is_all_there_is_only_where_the_page_after_it_shows_it(
    largest: int, total: str, size: int, beyond: str, count: int
) -> None:
    """Of any number of rows, also where its total is theirs: pages of one size are read on, of the others nothing."""
    if total == "of the page" and size < (largest or UNPAGED_ROWS):
        return  # a total that is documented is believed where no more rows came than were asked for
    account = Account(rows(count))

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        page = min(int(query.get("page", 1)), -(-count // size) if beyond == "last page" else count)
        found = json.loads(account.serve({"page": page, "per_page": size}))["rows"]
        if beyond == "refusal" and not found:
            raise NotFoundError("no such page")
        claimed = {"none": None, "of the page": len(found), "of all": count}[total]
        return seen(json.dumps({"rows": found, "pagination": {"total": claimed}}).encode(), check)

    found = asyncio.run(scan(Endpoint("/rows", "rows", largest, ("id", "at")), fetch, 4))
    assert (len(account.got), found.complete) == (count, True)


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("script", [{}, {1: [("sign up", 0)]}], ids=["quiet", "changing"])
def test_a_server_that_gives_all_for_every_page_is_asked_twice_more(
    total: bool, script: dict[int, list[tuple[str, int]]]
) -> None:
    """More rows than were asked for, and the same for every page: these are all."""
    account = Account(rows(120), script)

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.loads(account.serve({**query, "page": 1, "per_page": 10_000}))
        at = {"total": len(account.rows)} if total else {}
        return seen(json.dumps({"rows": body["rows"], "pagination": at}).encode(), check)

    found = asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 4))
    assert account.stayed <= account.got.keys()
    assert found.complete
    assert account.requests < (30 if script else 4)


@pytest.mark.parametrize(("count", "short"), [(80, 0), (800, 3)])
def test_pages_of_one_size_are_noticed_without_a_total(count: int, short: int) -> None:
    """Also where no later page has more rows than asked for, so that only half of the first page shows it.

    A page that has fewer rows than the others need not be the last one.
    """
    account, got = Account(rows(count)), set[int]()

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        served = json.loads(account.serve({**query, "per_page": 50}))["rows"]
        served = served[: 30 if query["page"] == short else None]
        got.update(row["id"] for row in served)
        return seen(json.dumps({"rows": served}).encode(), check)

    found = asyncio.run(scan(Endpoint("/rows", "rows", 50, ("id", "at")), fetch, 4))
    left_out = 20 if short else 0
    assert (found.complete, found.drifted, len(got)) == (True, False, count - left_out)
    assert "50 rows come on a page, whatever is asked for" in found.notes[-1]


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
