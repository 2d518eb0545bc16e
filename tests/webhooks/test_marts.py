"""The marts made of events, against figures that plain Python makes of the same events and of the account's state."""

import datetime as dt
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import oracle
import pytest
from oracle import reading
from receiving import arrive, delivery, opt_out, settings_of

from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, Account, running, seed_account
from pipelines.settings import Settings
from pipelines.warehouse.webhook_events import publish_events
from schemas.marts.webhooks import WEBHOOK_MARTS

Row = dict[str, Any]
FINAL = ("delivered", "undeliverable", "expired", "rejected", "failed")
SEED = range(2)


mart = partial(oracle.mart, zone="Asia/Tokyo")
"""A mart's rows, as an analyst far from UTC reads them."""


def some_events(seed: int) -> list[Row]:
    """Deliveries of thirty messages of a seed's own, with repeats, other details, and states in any order of time."""
    chance = random.Random(seed)
    found = []
    for _ in range(150):
        number = 100 * seed + chance.randrange(30)
        status = chance.choice(["pending", "pending", "delivered", "expired", "rejected", "moonlit", None])
        minute = chance.randrange(6)
        at = chance.choice([f"2026-11-20T10:0{minute}:00.000Z"] * 9 + [None])
        detail = chance.choice(["A", "B", "DELIVERED_TO_OPERATOR", None])
        found.append(delivery(number, status, timestamp=at, status_detail=detail))
    return found


def state(events: list[Row]) -> Row:
    """The event that tells a message's state: final over others, then the newest, then the first by name."""

    def order(event: Row) -> tuple[int, str]:
        status = event["status"]
        return (2 if status in FINAL else {"pending": 0, None: -1}.get(status, 1)), event["timestamp"] or ""

    best = max(map(order, events))
    return min((event for event in events if order(event) == best), key=lambda event: event["status"] or "")


def test_the_state_of_a_message_is_the_same_in_every_order_of_arrival(tmp_path: Path) -> None:
    """Shuffled arrivals, in one publish or in several, give the same rows; their states are those of an oracle."""
    events = [event for seed in SEED for event in some_events(seed)]
    tables = []
    for number in range(2):
        settings = settings_of(tmp_path / str(number))
        random.Random(number).shuffle(events)
        if number:
            arrive(settings, *events[:150])
            publish_events(settings)
        arrive(settings, *events[150 * number :])
        publish_events(settings)
        tables.append(sorted(mart(settings, "messages"), key=str))
    assert tables[0] == tables[1]
    by_message = defaultdict(list)
    for event in events:
        by_message[event["message_id"]].append(event)
    assert {row["message_id"]: row["status"] for row in tables[0]} == {
        name: state(some)["status"] for name, some in by_message.items()
    }
    for row in tables[0]:
        some = by_message[row["message_id"]]
        bodies = {json.dumps(event) for event in some}
        happenings = {(event["status"], event["timestamp"]) for event in some}
        assert (row["bodies"], row["repeats"]) == (len(bodies), len(some) - len(bodies))
        assert row["disagreements"] == len(bodies) - len(happenings)
        assert row["is_final"] == (row["status"] in FINAL)
    assert len(tables[0]) == sum(row["messages"] for row in mart(settings, "delivery_daily"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Account, Settings, list[Row]]]:
    """An account that sends and whose people opt out between two pulls; events report some of it."""
    settings = settings_of(
        tmp_path_factory.mktemp("marts"),
        api_key=API_KEY,
        webhook_keep_days=0,
        base_url="http://127.0.0.1:1/api/v2",
    )
    account = seed_account(contacts=40)
    for row in account.contacts():
        row.update(
            active=True,
            timezone=["America/Chicago", "Asia/Kolkata", "Nowhere/At_all", None][row["list_id"] % 4],
        )
    with running(account) as server:
        settings = settings.model_copy(update={"base_url": server.url})
        pull(settings, ["lists", "contacts"], "run-1")
        changed = account.contacts()[:20]
        time.sleep(1)  # times of events are whole seconds, and these are after the pull
        now = dt.datetime.now(dt.UTC)
        events: list[Row] = []
        for number, row in enumerate(changed):
            sends = 1 + number % 3
            row["send_count"] += sends
            row["last_sent_at"] = now.strftime("%Y-%m-%dT%H:%M:%S")
            about = {"to": row["phone_number"], "list_number": row["list_number"]}
            at = f"{now:%Y-%m-%dT%H:%M:%S}.{number:03}Z"
            if number % 2:  # of one message each an event tells
                status = "delivered" if number % 4 == 1 else "rejected"
                events.append(delivery(number, status, timestamp=at, status_detail=f"D{number % 4}", **about))
            if number < 8:
                row["active"] = False
            if 4 <= number < 12:  # the last four stay active
                who = {"phone_number": row["phone_number"], "list_number": row["list_number"]}
                events.append({**opt_out(""), **who, "timestamp": at})
        arrive(settings, *events)
        pull(settings, ["lists", "contacts"], "run-2")
        yield account, settings, events


def test_gaps_are_what_pulls_saw_and_events_did_not_report(
    world: tuple[Account, Settings, list[Row]],
) -> None:
    """Sends and opt-outs by list, those reported and those missing."""
    account, settings, _ = world
    wanted: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for number, row in enumerate(account.contacts()[:20]):
        counts = wanted[row["list_id"]]
        counts["sends_seen"] += 1 + number % 3
        counts["sends_reported"] += number % 2
        counts["opt_outs_seen"] += number < 8
        counts["opt_outs_reported"] += 4 <= number < 8
    rows = mart(settings, "webhook_gaps")
    found: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row["list_id"]].update(
            {
                name: row[name]
                for name in ("sends_seen", "sends_reported", "opt_outs_seen", "opt_outs_reported")
            }
        )
        assert row["sends_missing"] == row["sends_seen"] - row["sends_reported"]
        assert row["opt_outs_missing"] == row["opt_outs_seen"] - row["opt_outs_reported"]
        assert row["list_name"] == f"List {row['list_id']}"
    assert found == wanted


def test_an_opt_out_that_was_over_does_not_report_the_next_one(tmp_path: Path) -> None:
    """People opt out, come back, and opt out again: each of the two has an event of its own, or is missing."""
    account = seed_account(contacts=3)
    people = account.contacts()
    with running(account) as server:
        settings = settings_of(tmp_path, api_key=API_KEY, base_url=server.url)
        for number, active in enumerate((True, False, True, False)):
            for row in people:
                row["active"] = active
            pull(settings, ["contacts"], f"run-{number}")
            time.sleep(0.01)
    with reading(settings.warehouse) as connection:
        seen = connection.execute("SELECT max(valid_from) FROM contacts_history WHERE NOT active").fetchone()
    assert seen is not None
    first, second = (seen[0] + dt.timedelta(minutes=minutes) for minutes in (-60, 5))
    shown = [(people[0], first), (people[1], first), (people[1], second)]
    arrive(
        settings,
        *(
            opt_out(row["phone_number"], list_number=row["list_number"], timestamp=at.isoformat())
            for row, at in shown
        ),
    )
    publish_events(settings)
    found: Counter[str] = Counter()
    for gap in mart(settings, "webhook_gaps"):
        found.update({name: gap[name] for name in gap if name.startswith("opt_outs")})
    assert found == {"opt_outs_seen": 6, "opt_outs_reported": 3, "opt_outs_missing": 3}


def test_keys_distinguish_rows(world: tuple[Account, Settings, list[Row]]) -> None:
    """Each mart has one row per value of its declared key."""
    _, settings, _ = world
    for declared in WEBHOOK_MARTS:
        rows = mart(settings, declared.name)
        assert len({tuple(row[name] for name in declared.key) for row in rows}) == len(rows), declared.name


def test_opt_outs_and_what_became_of_them(world: tuple[Account, Settings, list[Row]]) -> None:
    """Each person's opt-out with the contact's state; who stayed active, or was sent to afterwards, is a finding."""
    account, settings, events = world
    shown = {
        (event["phone_number"], event["list_number"]): event
        for event in events
        if event["event"] == "unsubscribe"
    }
    rows = {(row["phone_number"], row["list_number"]): row for row in mart(settings, "opt_outs")}
    assert rows.keys() == shown.keys()
    active = {(row["phone_number"], row["list_number"]): row for row in account.contacts()}
    for who, row in rows.items():
        assert row["first_at"] == row["last_at"] == dt.datetime.fromisoformat(shown[who]["timestamp"])
        assert (row["keyword"], row["list_id"]) == ("STOP", active[who]["list_id"])
        assert row["contact_active"] == active[who]["active"]
    found = mart(settings, "compliance")
    still = {(row["phone_number"], row["list_number"]) for row in found if row["finding"] == "still_active"}
    assert still == {who for who in shown if active[who]["active"]}
    assert len(still) == 4
    phone, number = next(iter(still))
    later = delivery(900, to=phone, list_number=number, timestamp="2030-01-01T00:00:00.000Z")
    arrive(settings, later, later | {"timestamp": "2020-01-01T00:00:00Z", "message_id": "before"})
    publish_events(settings)
    (after,) = [row for row in mart(settings, "compliance") if row["finding"] == "sent_after_opt_out"]
    assert (after["phone_number"], after["messages"], after["evidence"]) == (phone, 1, "first event")


def test_days_of_deliveries_by_what_contacts_know(world: tuple[Account, Settings, list[Row]]) -> None:
    """Carrier, line type and local hour are the contact's; the counts are those of the messages."""
    account, settings, events = world
    people = {(row["phone_number"], row["list_number"]): row for row in account.contacts()}
    wanted: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        if event["event"] == "delivery":
            person, at = (
                people[event["to"], event["list_number"]],
                dt.datetime.fromisoformat(event["timestamp"]),
            )
            zone = person["timezone"]
            hour = at.astimezone(ZoneInfo(zone)).hour if zone and "Nowhere" not in zone else None
            outcome = "delivered" if event["status"] == "delivered" else "failed"
            wanted[
                at.date(), person["list_id"], person["carrier"], person["line_type"], event["provider"],
                event["status_detail"], hour, outcome,
            ] += 1  # fmt: skip
    found: Counter[tuple[Any, ...]] = Counter()
    for row in mart(settings, "delivery_daily"):
        if row["day"].year in (2020, 2030):
            continue
        for outcome in ("delivered", "no_receipt", "failed", "pending", "other"):
            if row[outcome]:
                found[
                    row["day"], row["list_id"], row["carrier"], row["line_type"], row["provider"], row["reason"],
                    row["local_hour"], outcome,
                ] += row[outcome]  # fmt: skip
    assert found == wanted


def test_a_time_to_delivery_needs_the_time_of_sending(tmp_path: Path) -> None:
    """Where an event tells when a message was sent, its delivery has a duration; else none is guessed."""
    settings = settings_of(tmp_path)
    sent = {"event": "sent", "message_id": "m0000001", "timestamp": "2026-11-20T10:00:00.000Z"}
    arrive(
        settings, delivery(1, timestamp="2026-11-20T10:00:07.500Z"), sent, delivery(1, "pending"), delivery(2),
        delivery(3, status_detail="DELIVERED_TO_OPERATOR"), sent | {"message_id": "m0000004"}, delivery(5, None),
        {"event": "reply", "from": "+15550000001", "text": "thanks", "list_number": "+1"},
        {"event": "reply", "from": "+15550000001", "text": "thanks", "list_number": "+1", "more": 1},
    )  # fmt: skip
    publish_events(settings)
    found = {row["message_id"]: row for row in mart(settings, "messages")}
    assert {name: row["seconds_to_delivery"] for name, row in found.items()} == {
        "m0000001": 7.5, "m0000002": None, "m0000003": None, "m0000004": None, "m0000005": None,
    }  # fmt: skip
    assert [found[f"m000000{number}"]["outcome"] for number in range(1, 6)] == [
        "delivered", "delivered", "no_receipt", "no_receipt", "other",
    ]  # fmt: skip
    timed = [row for row in mart(settings, "delivery_daily") if row["timed"]]
    assert [(row["seconds_total"], row["seconds_median"]) for row in timed] == [(7.5, 7.5)]
    assert {(row["phone_number"], row["text"]) for row in mart(settings, "replies")} == {
        ("+15550000001", "thanks")
    }
