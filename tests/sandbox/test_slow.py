"""An account that is slow, or behind a gateway that is not: what is answered, and what is done when."""

import time
from typing import Any

import httpx
import pytest
from bodies import post, send
from sandbox.plain_clients import WITHOUT_KEY, client

from pipelines.sandbox import Account, Server, parse_fault, seed_account


@pytest.fixture
def account() -> Account:
    """A few contacts: these tests look at the whole state again and again."""
    return seed_account(contacts=60)


GATEWAY_STATUSES = [302, 400, 401, 403, 404, 405, 413, 429, 502, 503, 504]


def state(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = WITHOUT_KEY.get(server.url.replace("/api/v2", "/_sandbox/state")).json()
    return found


def when_idle(server: Server) -> dict[str, Any]:
    """The account's state once it works on no request any more."""
    while (found := state(server))["under_way"]:
        time.sleep(0.02)
    return found


def test_a_reply_that_drips_is_whole_for_whoever_waits(server: Server, http: httpx.Client) -> None:
    """Many small parts, and the end of the body after them."""
    wanted = http.get("/lists").json()
    server.faults.active.append(parse_fault("drip,path=/lists,value=100000"))
    assert http.get("/lists").json() == wanted


@pytest.mark.parametrize("body", ["html", "empty", "json"])
def test_a_gateway_answers_and_the_account_commits_later(
    server: Server, http: httpx.Client, account: Account, body: str
) -> None:
    """A gateway's own reply, under any status and never in the vendor's form, comes before the work is done."""
    for number, status in enumerate(GATEWAY_STATUSES):
        fault = f"gateway,path=sends,times=1,status={status},body={body},commit=0.1"
        server.faults.active[:] = [parse_fault(fault)]
        reply = http.post("/history/sends", json={"records": [send(account, number)]})
        assert (reply.status_code, f"m{number}" in account.sends) == (status, False)
        assert "error" not in (reply.json() if body == "json" else {})
        assert bool(reply.content) == (body != "empty")
        assert ("Location" in reply.headers) == (status == 302)
        assert f"m{number}" in when_idle(server)["sends"]
        assert post(http, "sends", send(account, 20 + number))["success_count"] == 1, "it was for one call"


def test_a_gateway_may_hide_that_nothing_was_done(
    server: Server, http: httpx.Client, account: Account
) -> None:
    """Without `commit` the account never gets the request."""
    server.faults.active.append(parse_fault("gateway,path=sends,status=504"))
    assert http.post("/history/sends", json={"records": [send(account)]}).status_code == 504
    assert when_idle(server)["sends"] == {}


@pytest.mark.parametrize("kind", ["latency", "stall"])
def test_a_slow_account_does_the_work_also_when_nobody_waits(
    server: Server, account: Account, kind: str
) -> None:
    """What a client gave up waiting for is done all the same: with `stall` at once, with `latency` at the end."""
    server.faults.active.append(parse_fault(f"{kind},path=sends,seconds=0.1,per_row=1.5"))
    with client(server.url, timeout=0.15) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.post("/history/sends", json={"records": [send(account), send(account, 2)]})
    assert ("m2" in account.sends) == (kind == "stall")
    assert {"m1", "m2"} == set(when_idle(server)["sends"])


def test_a_reply_drips(server: Server, http: httpx.Client, account: Account) -> None:
    """A reply that drips is whole in the end, and done to the end only for a client that listens."""
    server.faults.active.append(parse_fault("drip,path=sends,value=500"))
    assert post(http, "sends", send(account))["success_count"] == 1
    server.faults.active[:] = [parse_fault("drip,path=sends,value=1")]
    with http.stream("POST", "/history/sends", json={"records": [send(account, 2)]}) as reply:
        assert reply.status_code == 200
    assert set(when_idle(server)["sends"]) == {"m1", "m2"}
