"""Random campaigns: masked statuses, late commits, kills and other revenue; every event of the account is counted.

The oracle is the account itself: its list of events of revenue.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from effort import seeds
from processes import process

from pipelines.errors import TracklySyncError
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms, named
from pipelines.push.ledger.status import outcomes
from pipelines.push.run import push
from pipelines.sandbox import Account, Fault, running, seed_account
from pipelines.settings import Settings

MASKED = [302, 401, 403, 404, 405, 413, 429]
ROWS = 60
PUSHING = """
from pipelines.push import run
from pipelines.settings import load_settings
run.push(load_settings(), ["revenue"])
"""

Row = dict[str, Any]


def write_history(account: Account, folder: Path, chance: random.Random) -> dict[str, Row]:
    """Sends to some contacts and revenue of each, much of it of equal amounts; the sends by id."""
    offer = next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")
    sends = [
        {
            "id": f"m{n:06}",
            "to_number": contact["phone_number"],
            "list_id": contact["list_id"],
            "timestamp": "2024-05-01T10:00:00Z",
        }
        for n, contact in enumerate(chance.choices(account.contacts(), k=ROWS))
    ]
    sales = [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "revenue": chance.choice(["5", "1", "2.5"]),
            "timestamp": "2024-06-01",
        }
        for row in sends
    ]
    folder.mkdir(parents=True)
    for name, rows in (("sends", sends), ("revenue", sales)):
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {str(row["id"]): row for row in sends}


def losses(chance: random.Random, longest: float) -> list[Fault]:
    """The first calls lose their answers; some of them are carried out later, up to so many seconds.

    Each is struck once: the delays of two faults would add up.
    """
    faults = []
    for number in range(chance.randint(2, 4)):
        later = round(chance.uniform(0.5, longest), 1)
        fault = chance.choice(
            [
                Fault("gateway", status=chance.choice(MASKED), commit=later),
                Fault("gateway", status=chance.choice(MASKED)),
                Fault("latency", seconds=later),
                Fault(chance.choice(["reset-before", "reset-after", "half", "html"])),
            ]
        )
        faults.append(replace(fault, path="history/revenue", skip=number, times=1))
    return faults


def carry_out(account: Account, settings: Settings, chance: random.Random, longest: float) -> None:
    """A push that is killed, pushes until nothing is pending or in doubt, and one after all late commits."""
    with process(PUSHING, settings, TRACKLY_SETTLE_SECONDS=f"{settings.settle_seconds}") as pushing:
        while pushing.poll() is None and not any("revenue" in request.path for request in account.log):
            time.sleep(0.05)
        time.sleep(chance.random())
        pushing.kill()
    for _ in range(4):
        with suppress(TracklySyncError):
            if push(settings, ["revenue"]).unsettled.alarms:
                break
        of = outcomes(settings)["revenue"]
        if not of.pending + of.in_doubt:
            break
    time.sleep(longest)  # what the account has not carried out by now it never will
    with suppress(TracklySyncError):
        push(settings, ["revenue"])


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize(("settle", "longest"), [(6.0, 2.0), (0.5, 3.0)])
def test_nothing_is_there_twice_within_the_settle_time_and_beyond_it_there_is_an_alarm(
    tmp_path: Path, settings_of: Callable[..., Settings], seed: int, settle: float, longest: float
) -> None:
    """Whatever is lost and whoever is killed: an alarm names the contact of every row that is there twice."""
    chance = random.Random(f"{seed} {settle}")
    account = seed_account(contacts=60, seed=seed)
    account.revenue.clear()
    touched: set[str] = set()

    def earn(_: int, account: Account) -> None:
        if chance.random() < 0.02:
            row = chance.choice(account.contacts())
            touched.add(row["phone_number"])
            row["revenue_total"] = float(Decimal(str(row["revenue_total"])) + chance.choice([5, 3]))
            row["conversion_count"] += 1

    with running(account) as server:
        settings = settings_of(
            server.url, tmp_path / "data", settle_seconds=settle, timeout_seconds=0.5, retry_seconds=4
        )
        sends = write_history(account, settings.history, chance)
        push(settings, ["sends"])
        account.before_request = earn
        server.faults.active.extend(losses(chance, longest))
        carry_out(account, settings, chance, longest)
        account.before_request = None
    there = Counter(row["message_id"] for row in account.revenue)
    twice = {sends[message]["to_number"] for message, times in there.items() if times > 1}
    with open_ledger(settings) as ledger, ledger.begin("revenue") as connection:
        kept = {one.contact for alarm in alarms(connection) for one in named(connection, alarm.alarm)}
    if settle > longest:
        assert not twice
        assert kept <= touched
    assert twice <= kept
    of = outcomes(settings)["revenue"]
    assert of.rows_in == ROWS == of.accepted + of.in_doubt + of.pending
    if not touched and not kept:
        assert len(there) >= of.accepted
