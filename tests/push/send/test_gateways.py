"""Pushes through a real nginx and a real haproxy: every event of the file is in the account once, to the cent."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gateways import PREFIX, haproxy, masked, nginx
from processes import process

from pipelines.errors import TracklySyncError
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.sandbox import Account, Server, parse_fault
from pipelines.settings import Settings

REVENUE = f"{PREFIX}/history/revenue"
PUSHING = """
from pipelines.push import run
from pipelines.settings import load_settings
run.push(load_settings(), ["revenue"])
"""

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
Books = Counter[tuple[str, Decimal]]


@pytest.fixture
def revenue(many_sends: int, write: Write, offer: str) -> Callable[[int], Books]:
    """A history of so many rows of revenue whose sends are in the account; returns what is to be there."""

    def make(rows: int) -> Books:
        assert rows <= many_sends
        amounts = [Decimal(100 + n % 700) / 100 for n in range(rows)]
        write(
            "revenue.ndjson",
            [
                {"message_id": f"m{n:06}", "offer_id": offer, "revenue": float(amount)}
                for n, amount in enumerate(amounts)
            ],
        )
        return Counter((f"m{n:06}", amount) for n, amount in enumerate(amounts))

    return make


def books(account: Account) -> Books:
    return Counter((row["message_id"], Decimal(str(row["revenue"]))) for row in account.revenue)


def through(settings: Settings, url: str, settle: float = 4.0) -> Settings:
    return settings.model_copy(update={"base_url": url, "settle_seconds": settle, "timeout_seconds": 20.0})


def until_all_is_sent(settings: Settings, rows: int, pushes: int = 12) -> None:
    """Push until each row is accepted; a push that ends with an error is followed by another."""
    for _ in range(pushes):
        with suppress(TracklySyncError):
            push(settings, ["revenue"])
        if outcomes(settings)["revenue"] == Outcomes(rows, accepted=rows):
            return
    pytest.fail(f"not all is accepted: {outcomes(settings)['revenue']}")


def test_a_masked_time_out_is_not_taken_for_a_refusal(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Books]
) -> None:
    """Nginx gives up with a page under any status, and the account commits later: nothing is there twice.

    Each other status is in trackly/test_client_post.
    """
    wanted = revenue(60)
    server.faults.active.append(parse_fault("latency,path=/history/revenue,seconds=1.5"))
    with nginx(server.url, REVENUE, "proxy_read_timeout 500ms;", masked(302)) as gateway:
        until_all_is_sent(through(settings, gateway.url), 60)
    assert books(account) == wanted


def test_a_push_of_sends_makes_progress_behind_a_proxy_that_cuts_every_long_call(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some
) -> None:
    """The size that gets through is found."""
    write("sends.ndjson", some_sends(2_500))
    server.faults.active.append(parse_fault("latency,path=/history/sends,per_row=0.004"))
    with haproxy(server.url, f"{PREFIX}/history/", "timeout server 800ms") as gateway:
        found = push(through(settings, gateway.url, settle=8), ["sends"]).outcomes["sends"]
    assert found.accepted + found.duplicate == len(account.sends) == 2_500


def test_a_push_of_revenue_makes_progress_behind_a_proxy_that_cuts_every_long_call(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Books]
) -> None:
    """The size that gets through is found: the first small call is lost, and no other."""
    wanted, per_row = revenue(1_050), 0.02
    server.faults.active.append(parse_fault(f"latency,path=/history/revenue,per_row={per_row}"))
    with haproxy(server.url, f"{PREFIX}/history/", "timeout server 800ms") as gateway:
        found = push(through(settings, gateway.url, settle=8), ["revenue"]).outcomes["revenue"]
    sizes = [request.records for request in account.log if request.method == "POST"]
    assert found == Outcomes(1_050, accepted=1_050)
    assert books(account) == wanted
    lost = [size for size in sizes if size and size * per_row > 0.8]
    assert (sizes[0], lost) == (50, [50])


def test_sends_get_through_and_the_message_says_that_calls_are_cut_off(
    account: Account,
    server: Server,
    settings: Settings,
    write: Write,
    some_sends: Some,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After about which time, probably by whom, and what to do; whatever page the proxy shows for it."""
    write("sends.ndjson", some_sends(1_000))
    server.faults.active.append(parse_fault("latency,path=/history/sends,per_row=0.004"))
    with nginx(server.url, location="proxy_read_timeout 1s;", server=masked(403)) as gateway:
        push(through(settings, gateway.url), ["sends"])
    assert len(account.sends) == 1_000
    shown = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert (
        sum("calls are cut off after about 1." in text and "probably by a proxy" in text for text in shown)
        == 1
    )
    assert any("proxy_read_timeout" in text for text in shown)


def test_a_proxy_that_limits_bodies_is_lived_with(
    account: Account,
    server: Server,
    settings: Settings,
    write: Write,
    some_sends: Some,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 1 MB by default: chunks are halved, one row that is too large alone is rejected, all others arrive."""
    rows = [{**row, "message": "x" * 2_500} for row in some_sends(1_500)]
    rows[700]["message"] = "x" * 1_200_000
    write("sends.ndjson", rows)
    with nginx(server.url) as gateway:
        found = push(through(settings, gateway.url), ["sends"])
    assert found.outcomes["sends"] == Outcomes(1_500, accepted=1_499, rejected=1)
    assert set(account.sends) == {row["id"] for n, row in enumerate(rows) if n != 700}
    assert any("too_large" in reason for reason in found.reasons["sends"])
    shown = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("client_max_body_size" in text for text in shown) == 1
    with open_ledger(settings) as ledger:
        refused = [chunk for chunk in ledger.chunks() if chunk["state"] == "refused"]
    assert len(refused) < 12


def test_one_ctrl_c_ends_a_push_whose_reply_drips_through_nginx(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Books]
) -> None:
    """Nginx hands on a byte a second; the push ends all the same, and the next one settles."""
    wanted = revenue(60)
    with nginx(server.url, REVENUE, "limit_rate 1;") as gateway:
        slow = through(settings, gateway.url)
        with process(PUSHING, slow, TRACKLY_TIMEOUT_SECONDS="2", TRACKLY_SETTLE_SECONDS="60") as pushing:
            while not account.revenue:
                time.sleep(0.05)
            time.sleep(0.5)
            pushing.send_signal(signal.SIGINT)
            pushing.communicate(timeout=120)
    assert pushing.returncode != 0
    found = outcomes(settings)["revenue"]
    assert (found.accepted, found.in_doubt > 0) == (0, True)
    until_all_is_sent(settings, 60)
    assert books(account) == wanted


def test_several_pushes_behind_haproxy_and_a_slow_account(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Books]
) -> None:
    """Most calls are cut off and committed later, and a push is killed: in the end each row is there once."""
    wanted = revenue(150)
    server.faults.active.append(parse_fault("latency,path=/history/revenue,jitter=1.2"))
    with haproxy(server.url, REVENUE, "timeout server 500ms") as gateway:
        slow = through(settings, gateway.url, settle=3)
        with process(PUSHING, slow, TRACKLY_SETTLE_SECONDS="3") as pushing:
            while not any(request.path == "/history/revenue" for request in account.log):
                time.sleep(0.05)
            pushing.kill()
        until_all_is_sent(slow, 150)
    assert books(account) == wanted


def test_nginx_is_killed_and_started_again_in_the_middle(
    account: Account, server: Server, settings: Settings, revenue: Callable[[int], Books]
) -> None:
    """Connections break off, then are refused, then work again."""
    wanted = revenue(1_300)
    server.faults.active.append(parse_fault("latency,path=/history/revenue,seconds=0.3"))
    with nginx(server.url) as gateway:
        ended = threading.Event()

        def disturb() -> None:
            for _ in range(3):
                calls = len(account.log)
                while len(account.log) < calls + 2 and not ended.wait(0.05):
                    pass
                gateway.kill()
                ended.wait(0.3)
                gateway.start()

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        try:
            until_all_is_sent(through(settings, gateway.url, settle=2), 1_300)
        finally:
            ended.set()
            disturbing.join()
    assert books(account) == wanted
