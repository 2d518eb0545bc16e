"""What a push does about calls that are cut off or lost, call by call, as the account has seen them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import clicks_of

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


def of_other_messages(sends: list[Row]) -> list[Row]:
    return [{**row, "id": f"other-{row['id']}"} for row in sends]


def test_after_a_lost_call_the_next_ones_are_small_until_several_are_answered(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some,
    revenue: Callable[[int], Counter[str]],
) -> None:  # fmt: skip
    """Tens of rows, and the first small call of a push is made once, also where it is the one that is lost.

    Quick failures are not taken for time-outs: a service in trouble is asked again with the same call of sends.
    """
    wanted = revenue(1_050)
    write("sends.ndjson", of_other_messages(some_sends(900)))
    server.faults.active.append(parse_fault("503,path=/history/sends,times=4"))
    server.faults.active.append(parse_fault("reset-after,path=/history/revenue,times=1"))
    found = push(settings, ["sends", "revenue"]).outcomes
    assert found == {"sends": Outcomes(900, accepted=900), "revenue": Outcomes(1_050, accepted=1_050)}
    assert stored(account) == wanted
    sizes = [size for sizes in calls(account) for size in sizes]
    assert sizes[0] == 50  # the first small call
    assert max(sizes[1:4]) <= SMALL_STEPS[1]
    assert max(sizes) > 50  # they have grown again
    of_sends = [one for one in account.log if one.path == "/history/sends"]
    assert [(one.status, one.records) for one in of_sends if one.status == 200] == [(200, 900)]
    assert sum(one.status == 503 for one in of_sends) == 4


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
    revenue(150)
    server.faults.active.append(parse_fault("gateway,path=/history/revenue,status=504,commit=0"))
    push(settings, ["revenue"], wait=False)
    before = len(account.log)
    server.faults.active.clear()
    wanted = revenue(450)
    push(settings, ["revenue"])
    assert stored(account) == wanted
    sizes = [request.records or 0 for request in account.log[before:] if request.path == "/history/revenue"]
    assert 0 < sizes[0] <= SMALL_STEPS[0]


def test_a_proxy_that_limits_bodies_is_lived_with(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some, offer: str,
    revenue: Callable[[int], Counter[str]], many_sends: int, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Of sends and clicks a few calls are refused, and they are halved for the rest of the run.

    Of revenue a bare 413 leaves rows in doubt, and the next calls are small; either way each row is there once.
    """
    sends, wanted = some_sends(many_sends), revenue(120)
    write("sends.ndjson", of_other_messages(sends))
    write("clicks.ndjson", clicks_of(sends, offer, "2024-05-03T00:00:00Z"))
    most = {"sends": 20_000, "clicks": 40_000, "revenue": 6_000}
    for name, size in most.items():
        server.faults.active.append(parse_fault(f"limit,path=/history/{name},value={size}"))
    found = push(settings, list(most)).outcomes
    for name in ("sends", "clicks"):
        assert found[name].accepted + found[name].duplicate == many_sends, name
    assert found["revenue"] == Outcomes(120, accepted=120)
    assert stored(account) == wanted
    sent = {name: [one for one in account.log if one.path == f"/history/{name}"] for name in most}
    refused = {name: sum(one.status == 413 for one in some) for name, some in sent.items()}
    assert refused["revenue"] == 1
    assert 0 < refused["sends"] <= 16
    assert 0 < refused["clicks"] <= 16
    assert max(one.records or 0 for one in sent["revenue"] if one.status == 200) <= SMALL_STEPS[0]
    assert "calls are too large, probably for a proxy on the way (status 413)" in caplog.text
