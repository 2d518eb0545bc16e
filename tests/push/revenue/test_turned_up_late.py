"""Accounts that carry out calls after they were given up: never twice within the settle time, beyond it an alarm.

The oracle is the account itself: its list of events of revenue.
"""

import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from beginnings import Beginning, beginning
from histories import active_offer, sends_to, write_rows
from oracle import query, restore_key
from processes import process

from pipelines.cli.app import app
from pipelines.errors import AccessError
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.alarms import alarms, learned_seconds
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, Fault, Server, running, seed_account
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
    return _empty()


def _empty() -> Account:
    account = seed_account(contacts=60)
    account.revenue.clear()
    return account


@pytest.fixture(scope="session")
def _sends_pushed(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Beginning:
    def make(folder: Path) -> Account:
        account = _empty()
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            write_history(account, settings.history, 60, ["5"])
            (settings.history / "revenue.ndjson").unlink()
            push(settings, ["sends"])
        return account

    return beginning(tmp_path_factory, "sends-to-forty", make)


@pytest.fixture
def sends_pushed(account: Account, settings: Settings, _sends_pushed: Beginning) -> None:
    """The account has 60 sends to 40 people already, through a ledger on SQLite."""
    _sends_pushed.restore(account, settings)


@pytest.fixture
def slow(either: Settings) -> Settings:
    """Settings with which calls are given up after 0.4 s, and are old enough after 4 s."""
    return either.model_copy(update={"timeout_seconds": 0.4, "settle_seconds": 4.0})


@pytest.fixture
def give(account: Account, either: Settings) -> Callable[..., list[Row]]:
    """Write a history: sends to the account's first contacts, and revenue of each."""

    def give(number: int, amounts: list[str], contacts: int = 40) -> list[Row]:
        return write_history(account, either.history, number, amounts, contacts)

    return give


def write_history(
    account: Account, folder: Path, number: int, amounts: list[str], contacts: int = 40
) -> list[Row]:
    known = list({row["phone_number"]: row for row in account.contacts()}.values())[:contacts]
    assert len(known) == contacts
    sends = sends_to(known, number)
    sale = {"offer_id": active_offer(account), "timestamp": "2024-06-01T00:00:00Z"}
    sales = [
        {**sale, "message_id": row["id"], "revenue": amounts[n % len(amounts)]} for n, row in enumerate(sends)
    ]
    for name, rows in (("sends", sends), ("revenue", sales)):
        write_rows(folder / f"{name}.ndjson", rows)
    return sends


def events(account: Account) -> Counter[str]:
    """How often the account has each row."""
    return Counter(row["message_id"] for row in account.revenue)


def once(rows: list[Row]) -> Counter[str]:
    return Counter(row["id"] for row in rows)


def let_commit(account: Account, number: int) -> None:
    """Wait until the account has so many events: it works on by itself."""
    for _ in range(600):
        if len(account.revenue) >= number:
            return
        time.sleep(0.05)
    raise AssertionError(f"the account has {len(account.revenue)} events")


def store(settings: Settings, sales: list[Row]) -> None:
    """Have the account take revenue, by a call that is not ours."""
    url = f"{settings.base_url}/history/revenue"
    reply = httpx.post(url, headers={"X-Api-Key": API_KEY}, json={"records": sales})
    assert reply.json()["success_count"] == len(sales)


def sales_of(settings: Settings) -> list[Row]:
    """The sales of the file, as the account takes them."""
    rows = map(json.loads, (settings.history / "revenue.ndjson").read_text().splitlines())
    return [{**row, "revenue": float(row["revenue"])} for row in rows]


def open_alarms(settings: Settings) -> list[Any]:
    with open_ledger(settings) as ledger, ledger.begin() as connection:
        return alarms(connection)


@pytest.mark.usefixtures("sends_pushed")
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
    faults.append(Fault("latency", path="history/revenue", seconds=2.0, times=1))
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
    assert (first - datetime.fromisoformat(lost["sent_at"])).total_seconds() >= 4


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


@pytest.mark.usefixtures("sends_pushed")
@pytest.mark.parametrize("either", ["sqlite"], indirect=True)
def test_what_a_person_called_absent_after_the_ledger_was_lost_is_an_alarm_too(
    account: Account, either: Settings, server: Server, give: Callable[..., list[Row]]
) -> None:
    """The call lands after its rows were sent again; the archive is lost too, and their sends say whose they are."""
    rows = give(3, ["5", "7.25"])
    hasty = either.model_copy(update={"settle_seconds": 0.0})
    server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
    push(either, REVENUE, wait=False)
    (hasty.data_dir / "ledger.db").unlink()
    shutil.rmtree(hasty.parquet_dir / "imports")
    adopt(hasty)
    lost = [doubt.identity for doubt in in_doubt(hasty)]
    assert len(lost) == 3
    resolve(hasty, lost, Outcome.PENDING, "not in the account")
    assert push(hasty, BOTH).unsettled.alarms == 0
    store(hasty, sales_of(hasty))
    assert push(hasty, BOTH).unsettled.alarms == 1
    (alarm,) = open_alarms(hasty)
    assert (alarm.rows, alarm.sent_again, events(account)) == (3, 3, once(rows + rows))


@pytest.mark.usefixtures("sends_pushed")
@pytest.mark.parametrize("either", ["sqlite"], indirect=True)
def test_what_landed_before_a_person_called_it_absent_is_not_sent_again(
    account: Account, either: Settings, server: Server, give: Callable[..., list[Row]]
) -> None:
    """A reading did not show it, so it is looked for from then on, not from the first reading after the decision.

    Of six rows of one call two landed; the others are sent.
    """
    rows = give(6, ["5", "7.25"])
    server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
    push(either, REVENUE, wait=False)
    lost = [doubt.identity for doubt in in_doubt(either)]
    store(either, sales_of(either)[1:3])
    resolve(either, lost, Outcome.PENDING, "the evidence shows that it is not there")
    calls = len(account.log)
    report = push(either, REVENUE)
    assert (len(lost), report.outcomes["revenue"]) == (6, Outcomes(6, accepted=6))
    assert (events(account), report.unsettled.alarms) == (once(rows), 0)
    assert sum(one.records or 0 for one in account.log[calls:]) == 4


@pytest.mark.usefixtures("sends_pushed")
@pytest.mark.parametrize("either", ["sqlite"], indirect=True)
def test_what_a_person_says_and_a_reading_shows_otherwise_is_in_doubt_again(
    account: Account, either: Settings, server: Server, give: Callable[..., list[Row]],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No reading had looked for them: two of four had landed, and all but the last are resolved as what they are not.

    One that was to be sent is there, and is not sent. Said once more, it stays, and reconciliation shows it.
    """
    for name, value in {"api_key": API_KEY, "base_url": either.base_url, "data_dir": either.data_dir}.items():
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", str(value))
    rows = give(4, ["5", "7.25", "1", "9"])
    faults = server.faults.active
    faults.extend(
        [Fault("reset-before", path="history/revenue", times=1), Fault("revoke", path="contacts", skip=1)]
    )
    with pytest.raises(AccessError):
        push(either, REVENUE)
    faults.clear()
    restore_key(server)
    lost = [doubt.identity for doubt in sorted(in_doubt(either), key=lambda doubt: doubt.message_id)]
    store(either, sales_of(either)[:2])
    said = (
        (Outcome.REJECTED, [lost[0], lost[3]]),
        (Outcome.PENDING, [lost[1]]),
        (Outcome.ACCEPTED, [lost[2]]),
    )
    for outcome, identities in said:
        resolve(either, identities, outcome, "seen so in the account")
    assert push(either, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=1, in_doubt=2, rejected=1)
    assert events(account) == once(rows[:2])
    assert [(doubt.identity, doubt.code) for doubt in in_doubt(either)] == sorted(
        (lost[n], "contradicted") for n in (0, 2)
    )
    firing = {condition.name for judge in push_conditions for condition in judge(either) if condition.firing}
    assert firing == {"in_doubt:revenue", "by_hand:revenue"}
    with pytest.raises(SystemExit):
        app(["reconcile"])
    assert "2 rows of revenue are in doubt" in "".join(capsys.readouterr())

    resolve(either, [lost[0], lost[2]], Outcome.REJECTED, "still said so")
    assert push(either, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=1, rejected=3)
    assert reconcile(either).findings["more"] == 2  # revenue and conversions of the one that is there
