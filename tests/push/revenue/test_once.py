"""Whatever happens to calls of revenue and to the account meanwhile: each row is there once, or in doubt."""

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from effort import examples
from histories import active_offer, write_rows
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oracle import query

from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import acknowledge, alarms, named
from pipelines.push.run import PushReport, push
from pipelines.runs.recording import now
from pipelines.sandbox import Account, Fault, running, seed_account
from pipelines.settings import Settings

LOSSES = ["reset-before", "reset-after", "half", "truncate", "html", "502"]
ROWS = 80
AMOUNTS = ["1", "1", "2", "0.5"]


@hypothesis_settings(
    max_examples=examples(2), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6))
def test_revenue_is_there_once_or_in_doubt_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings], seed: int
) -> None:
    """Lost answers at every stage, half-done calls, other revenue, deleted contacts, several rows a contact.

    In the end no row is there twice, what is accepted is there, and where nothing else touched the contact only
    rows that stand for one another are in doubt. An alarm stands for rows that were sent again, and only of contacts
    that earned other revenue, which totals do not tell from such a row; once it is acknowledged, the rest is sent.
    """
    chance = random.Random(seed)
    account = seed_account(contacts=60, seed=seed % 7)
    account.revenue.clear()
    touched: set[str] = set()

    def live(_: int, account: Account) -> None:
        if len(account.sends) == ROWS and chance.random() < 0.08:
            row = chance.choice(account.contacts())
            touched.add(row["phone_number"])
            if chance.random() < 0.2:
                account.remove_contact((row["phone_number"], row["list_id"]))
            else:
                row["revenue_total"] = float(
                    Decimal(str(row["revenue_total"])) + chance.choice([1, 3, Decimal("0.5")])
                )
                row["conversion_count"] += 1

    tmp_path = tmp_path_factory.mktemp("once")
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", concurrency=chance.randint(1, 4))
        numbers = {row["id"]: row["phone_number"] for row in account.lists}
        offer = active_offer(account)
        sends = []
        for n in range(ROWS):
            contact = chance.choice(account.contacts())
            by = (
                {"list_id": contact["list_id"]}
                if chance.random() < 0.5
                else {"list_number": numbers[contact["list_id"]]}
            )
            sends.append(
                {
                    "id": f"m{n:06}",
                    "to_number": contact["phone_number"],
                    "timestamp": "2024-05-01T00:00:00Z",
                    **by,
                }
            )
        write_rows(settings.history / "sends.ndjson", sends)
        sales = [
            {"message_id": row["id"], "offer_id": offer, "revenue": AMOUNTS[n % len(AMOUNTS)]}
            for n, row in enumerate(sends)
        ]
        write_rows(settings.history / "revenue.ndjson", sales)
        account.before_request = live
        for _ in range(chance.randint(1, 3)):
            server.faults.active.append(
                Fault(
                    chance.choice(LOSSES), method="POST", path="revenue", skip=chance.randint(0, 2), times=1
                )
            )
        phones = {row["id"]: row["to_number"] for row in sends}
        for names in (["sends", "revenue"], ["revenue"]):
            found = push_on(settings, names, touched)
        of = found.outcomes["revenue"]
        assert of.rows_in == ROWS
        assert of.pending == 0
        held = {
            (message, outcome)
            for message, outcome in query(
                settings.warehouse,
                "SELECT message_id, outcome FROM imports.records WHERE dataset = 'revenue'",
            )
        }
        there = Counter(row["message_id"] for row in account.revenue)
        assert max(there.values(), default=0) <= 1
        doubts = Counter(phones[message] for message, outcome in held if outcome == "in_doubt")
        for message, outcome in held:
            if phones[message] in touched:
                continue  # an equal amount of other revenue may stand for ours; that none is there twice was seen
            assert outcome in ("accepted", "in_doubt")
            assert (outcome == "accepted") <= (there[message] == 1)
            assert doubts[phones[message]] != 1  # one row of one contact is always shown


def push_on(settings: Settings, names: list[str], touched: set[str]) -> PushReport:
    """Push until no alarm stops it; each that does is acknowledged, and names no contact but those touched."""
    for _ in range(30):
        found = push(settings, names)
        with open_ledger(settings) as ledger, ledger.begin("revenue") as connection:
            stopped = alarms(connection)
            assert found.unsettled.alarms == len(stopped)
            assert found.outcomes["revenue"].pending == 0 or stopped
            for alarm in stopped:
                assert alarm.sent_again > 0
                assert {row.contact for row in named(connection, alarm.alarm)} <= touched
                acknowledge(connection, alarm.alarm, "other revenue", now())
        if not stopped:
            return found
    raise AssertionError("an alarm after every push")
