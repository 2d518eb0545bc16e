"""What a push does about calls that are cut off or lost, call by call, as the account has seen them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.push.send.calls.sizes import SMALL_STEPS
from pipelines.sandbox import Account, Server, parse_fault
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


@pytest.fixture
def revenue(many_sends: int, write: Write, offer: str) -> Callable[[int], Counter[str]]:
    """A history of so many rows of revenue whose sends are in the account; returns what is to be there once."""

    def make(rows: int) -> Counter[str]:
        assert rows <= many_sends
        sale = {"offer_id": offer, "revenue": 2.5}
        write("revenue.ndjson", [{**sale, "message_id": f"m{n:06}"} for n in range(rows)])
        return Counter(f"m{n:06}" for n in range(rows))

    return make


def stored(account: Account) -> Counter[str]:
    return Counter(row["message_id"] for row in account.revenue)


def calls(account: Account) -> list[list[int]]:
    """Rows of the calls of revenue between one reading of the contacts and the next."""
    rounds: list[list[int]] = [[]]
    for request in account.log:
        if request.path == "/history/revenue":
            rounds[-1].append(request.records or 0)
        elif rounds[-1]:
            rounds.append([])
    return [sizes for sizes in rounds if sizes]


def test_after_a_lost_call_the_next_ones_are_small_until_several_are_answered(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Counter[str]]
) -> None:
    """Tens of rows, and the first small call of a push is made once, also where it is the one that is lost."""
    wanted = revenue(1_050)
    server.faults.active.append(parse_fault("reset-after,path=/history/revenue,times=1"))
    found = push(settings, ["revenue"]).outcomes["revenue"]
    assert found == Outcomes(1_050, accepted=1_050)
    assert stored(account) == wanted
    sizes = [size for sizes in calls(account) for size in sizes]
    assert sizes[0] == 50  # the first small call
    assert max(sizes[1:4]) <= SMALL_STEPS[1]
    assert max(sizes) > 50  # they have grown again


@pytest.mark.parametrize("commits", [True, False])
def test_where_every_answer_is_lost_a_push_rests_before_it_risks_more(
    account: Account,
    server: Server,
    settings: Settings,
    revenue: Callable[[int], Counter[str]],
    commits: bool,
) -> None:
    """Between two readings sixteen calls are lost at most, all but the first ones small, and no row is sent twice."""
    wanted = revenue(800)
    commit = ",commit=0" if commits else ""
    fault = f"gateway,path=/history/revenue,status=404{commit}"
    server.faults.active.append(parse_fault(fault if commits else f"{fault},times=24"))
    with_wait = settings.model_copy(update={"settle_seconds": 0.5})
    found = push(with_wait, ["revenue"]).outcomes["revenue"]
    assert found == Outcomes(800, accepted=800)
    assert stored(account) == wanted
    rounds = calls(account)
    assert max(map(len, rounds)) == 16, "then it rests, although more rows could be sent"
    assert sum(max(sizes) > 100 for sizes in rounds) <= 1


def test_a_push_begins_small_after_one_that_lost_answers(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Counter[str]]
) -> None:
    """What a push has learned is on record: the next one does not begin with a large call."""
    wanted = revenue(400)
    server.faults.active.append(parse_fault("gateway,path=/history/revenue,status=504,commit=0"))
    push(settings, ["revenue"], wait=False)
    before = len(account.log)
    server.faults.active.clear()
    push(settings, ["revenue"])
    assert stored(account) == wanted
    sizes = [request.records or 0 for request in account.log[before:] if request.path == "/history/revenue"]
    assert not sizes or sizes[0] <= SMALL_STEPS[0]


def test_a_proxy_that_limits_bodies_of_revenue_is_lived_with(
    account: Account,
    server: Server,
    settings: Settings,
    revenue: Callable[[int], Counter[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bare 413 leaves rows in doubt, and the next calls are small; either way each row is there once."""
    wanted = revenue(120)
    server.faults.active.append(parse_fault("limit,path=/history/revenue,value=6000"))
    assert push(settings, ["revenue"]).outcomes["revenue"] == Outcomes(120, accepted=120)
    assert stored(account) == wanted
    sent = [request for request in account.log if request.path == "/history/revenue"]
    assert sum(request.status == 413 for request in sent) == 1
    assert max(request.records or 0 for request in sent if request.status == 200) <= SMALL_STEPS[0]
    assert "calls are too large, probably for a proxy on the way (status 413)" in caplog.text


def test_bodies_of_clicks_that_a_proxy_refuses_are_halved_for_the_rest_of_the_run(
    account: Account, server: Server, settings: Settings, write: Write, offer: str, many_sends: int
) -> None:
    """A few calls are refused for their size, and no later one is as large as any of these."""
    click = {"offer_id": offer, "phone_number": "+15551234567", "timestamp": "2024-05-03T00:00:00Z"}
    write("clicks.ndjson", [{**click, "message_id": f"m{n:06}"} for n in range(many_sends)])
    server.faults.active.append(parse_fault("limit,path=/history/clicks,value=40000"))
    found = push(settings, ["clicks"]).outcomes["clicks"]
    assert found.accepted + found.duplicate == many_sends
    refused = [request for request in account.log if request.status == 413]
    assert 0 < len(refused) <= 16


def test_bodies_of_sends_that_a_proxy_refuses_are_halved_for_the_rest_of_the_run(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some
) -> None:
    """The same of sends."""
    write("sends.ndjson", some_sends(1_300))
    server.faults.active.append(parse_fault("limit,path=/history/sends,value=20000"))
    found = push(settings, ["sends"]).outcomes["sends"]
    assert found.accepted + found.duplicate == 1_300
    refused = [request for request in account.log if request.status == 413]
    assert 0 < len(refused) <= 16


def test_quick_failures_are_not_taken_for_time_outs(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some
) -> None:
    """A service in trouble is asked again with the same call: only what took long is made smaller."""
    write("sends.ndjson", some_sends(900))
    server.faults.active.append(parse_fault("503,path=/history/sends,times=4"))
    assert push(settings, ["sends"]).outcomes["sends"] == Outcomes(900, accepted=900)
    assert {request.records for request in account.log if request.status == 200 and request.records} == {900}
