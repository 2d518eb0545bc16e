"""Accounts that carry out calls after they were given up: never twice within the settle time, beyond it an alarm.

The oracle is the account itself: its list of events of revenue.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from late_sales import empty_account, events, once, open_alarms, sales_of, store, write_history
from oracle import query
from processes import process

from pipelines.cli.app import app
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms, learned_seconds
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, Fault, Server
from pipelines.settings import Settings

Row = dict[str, Any]

BOTH, REVENUE = ["sends", "revenue"], ["revenue"]

DYING = """
import os
from pipelines.push import run
from pipelines.push.ledger.ledger import Ledger
from pipelines.settings import load_settings

def dying(self, *args, again, _real=Ledger.intend, **more):
    if again:
        os._exit(9)
    return _real(self, *args, again=again, **more)

Ledger.intend = dying
run.push(load_settings(), ["sends", "revenue"])
"""
"""Dies just before rows are sent again."""


@pytest.fixture
def account() -> Account:
    """A small account, so that a reading is one request."""
    return empty_account()


@pytest.fixture
def slow(either: Settings) -> Settings:
    """Settings with which calls are old enough after 8 s, by when a busy machine has read the contacts once."""
    return either.model_copy(update={"settle_seconds": 8.0})


@pytest.fixture
def give(account: Account, either: Settings) -> Callable[..., list[Row]]:
    """Write a history: sends to the account's first contacts, and revenue of each."""

    def give(number: int, amounts: list[str], contacts: int = 40) -> list[Row]:
        return write_history(account, either.history, number, amounts, contacts)

    return give


def let_commit(account: Account, number: int) -> None:
    """Wait until the account has so many events: it works on by itself."""
    for _ in range(600):
        if len(account.revenue) >= number:
            return
        time.sleep(0.05)
    raise AssertionError(f"the account has {len(account.revenue)} events")


@pytest.mark.usefixtures("sends_to_forty")
@pytest.mark.parametrize("either", ["sqlite"], indirect=True)
def test_a_call_counts_once_that_is_carried_out_within_the_settle_time_and_one_that_never_is(
    account: Account, slow: Settings, server: Server, give: Callable[..., list[Row]],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """However late, rows of the first one are not there yet when it is read first, and they are not sent again.

    Those of the second one are: it takes two readings that agree, the second one after the settle time; a line says
    how long that takes.
    """
    rows = give(60, ["5", "7.25"])
    faults = server.faults.active
    faults.append(Fault("gateway", path="history/revenue", commit=2.0, times=1))
    faults.append(Fault("reset-before", path="history/revenue", skip=1, times=1))
    with caplog.at_level(logging.WARNING):
        report = push(slow, REVENUE)
    assert report.outcomes["revenue"] == Outcomes(60, accepted=60)
    assert events(account) == once(rows)
    assert not open_alarms(slow)
    assert "Ctrl-C is safe" in caplog.text
    with open_ledger(slow) as ledger:
        late, lost, *again = (call for call in ledger.chunks() if call["dataset"] == "revenue")
    assert (late["state"], late["rows"], lost["state"]) == ("lost", 40, "lost")
    assert sum(call["rows"] for call in (late, lost)) <= sum(call["rows"] for call in (late, *again)) == 60
    assert {call["state"] for call in again} == {"answered"}
    first = datetime.fromisoformat(again[0]["intended_at"])
    assert (first - datetime.fromisoformat(lost["sent_at"])).total_seconds() >= 8


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)
def test_without_waiting_all_other_contacts_go_on_and_the_next_push_settles_it(
    account: Account, slow: Settings, server: Server, give: Callable[..., list[Row]]
) -> None:
    """A second row of a contact with one in doubt waits, all others go; once that is old enough, it is settled.

    A call is as old as its last attempt: one that leaves later than the intent, here after a 429, is on record before
    the account has it.
    """
    rows = give(80, ["5"], contacts=40)
    patient = slow.model_copy(update={"settle_seconds": 3600.0})
    server.faults.active.append(Fault("half", path="history/revenue", times=1))
    for _ in range(2):
        report = push(patient, BOTH, wait=False)
        of = report.outcomes["revenue"]
        waiting = of.in_doubt
        assert 0 < waiting == report.unsettled.waiting < 40
        assert of == Outcomes(80, accepted=2 * (40 - waiting), in_doubt=waiting, pending=waiting)
        assert 0 < report.unsettled.seconds <= 3600
    assert max(events(account).values(), default=1) == 1
    settled = "SELECT count(*) FROM imports.records WHERE code = 'settled' AND outcome = 'accepted'"
    assert query(slow.warehouse, settled) == [(40 - waiting,)]

    calls: list[dict[str, Any]] = []

    def look(entity: str, _: Row) -> None:
        if not calls and entity == "revenue":
            with open_ledger(slow) as ledger:
                calls.extend(call for call in ledger.chunks() if call["state"] == "intended")

    account.refuse = look
    server.faults.active.append(Fault("429", path="history/revenue", seconds=2, times=1))
    report = push(slow.model_copy(update={"settle_seconds": 0.0}), BOTH, wait=False)
    assert report.outcomes["revenue"] == Outcomes(80, accepted=80)
    assert events(account) == once(rows)
    ((intended, sent),) = [(call["intended_at"], call["sent_at"]) for call in calls]
    assert (datetime.fromisoformat(sent) - datetime.fromisoformat(intended)).total_seconds() >= 2


@pytest.mark.parametrize("either", ["sqlite"], indirect=True)
def test_what_turns_up_before_it_was_sent_again_stops_nothing(
    account: Account, slow: Settings, server: Server, give: Callable[..., list[Row]]
) -> None:
    """Nothing is there twice: the rows are accepted, the settle time grows, and no alarm waits for a person."""
    rows = give(5, ["5", "7.25", "1"])
    hasty = slow.model_copy(update={"settle_seconds": 0.5})
    server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
    with process(DYING, hasty, TRACKLY_SETTLE_SECONDS="0.5") as dying:
        _, words = dying.communicate(timeout=120)
    assert dying.returncode == 9, words.decode()
    with open_ledger(hasty) as ledger:
        assert ledger.outcomes()["revenue"] == Outcomes(5, pending=5)
    store(hasty, sales_of(hasty))
    report = push(hasty, BOTH)
    assert report.outcomes["revenue"] == Outcomes(5, accepted=5)
    assert events(account) == once(rows)
    assert report.unsettled.alarms == 0
    assert not open_alarms(hasty)
    with open_ledger(hasty) as ledger, ledger.begin() as connection:
        (kept,) = alarms(connection, every=True)
        assert learned_seconds(connection) == kept.settle_seconds > 0.5
    assert (kept.rows, kept.sent_again) == (5, 0)


@pytest.mark.parametrize("either", ["postgresql"], indirect=True)  # SQLite in test_once.py
def test_what_turns_up_later_is_an_alarm_until_it_is_acknowledged(
    account: Account, either: Settings, server: Server, give: Callable[..., list[Row]],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It was called absent and sent again: the next push sees both, sends no more, and waits longer from then on.

    Push and reconcile exit with 3; status, alerts and resolve name rows, contacts and sum; then all goes on.
    """
    rows = give(30, ["5", "7.25", "1"])
    server.faults.active.append(Fault("gateway", path="history/revenue", commit=6.0, times=1))
    hasty = either.model_copy(update={"settle_seconds": 1.0})
    names = ("base_url", "data_dir", "ledger_url", "settle_seconds")
    for name, value in {"api_key": API_KEY, **{name: getattr(hasty, name) for name in names}}.items():
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", str(value))

    def sync(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app([*words])
        return int(ended.value.code or 0), "".join(capsys.readouterr())

    push(hasty, BOTH)
    let_commit(account, 60)
    assert events(account) == once(rows + rows)
    more = give(90, ["5", "7.25", "1"])
    assert sync("push", *BOTH)[0] == 3
    assert outcomes(hasty)["revenue"] == Outcomes(90, accepted=30, pending=60)
    assert events(account) == once(rows + rows)
    (alarm,) = open_alarms(hasty)
    assert (alarm.rows, alarm.sent_again, alarm.contacts, alarm.amount) == (30, 30, 30, 1_325_000)
    assert alarm.settle_seconds >= alarm.seconds >= 4.0
    for words, code in ((["status"], 0), (["status", "--json"], 0), (["alerts"], 0), (["reconcile"], 3)):
        found, text = sync(*words)
        assert found == code
        assert "30 rows of revenue (132.50) of 30 contacts" in text
        assert not any(row["to_number"] in text for row in rows)
    listed = sync("resolve")[1]
    assert not any(row["to_number"] in listed for row in rows)
    assert "--show-values" in listed
    shown = sync("resolve", "--show-values")[1]
    assert any(row["to_number"] in shown for row in rows)
    assert sync("resolve", "--acknowledge", "1")[0] == 2
    assert sync("resolve", "--acknowledge", "1", "--reason", "removed, ticket 1", "--json") == (
        0,
        '{\n  "acknowledged": 1\n}\n',
    )
    assert sync("push", *BOTH)[0] == 0
    assert events(account) == once(rows + more)
    assert "alarms" not in sync("status", "--json")[1]
