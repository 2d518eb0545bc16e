"""Marts over contacts' history: books that close, cohorts with those who left, by plain Python."""

import datetime as dt
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from effort import seeds
from made_snapshots import CONTACT, publish_rows
from oracle import Key, key_of, mart, query

from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, Account, seed_account
from pipelines.settings import Settings, load_settings
from schemas.own_tables.sync import Consistency

Row = dict[str, Any]
LISTS = (1, 2, 3)


@dataclass
class Stay:
    """A contact's time on a list, as the books of the test have it: from, to, and its states by time."""

    joined: dt.datetime
    seen: dt.datetime
    began_as: str
    states: list[tuple[dt.datetime, bool]]
    left: dt.datetime | None = None
    gone_by: dt.datetime | None = None
    again: bool = False

    def state(self, moment: dt.datetime) -> bool | None:
        """Whether it is active at a moment; None where it is not on the list."""
        first = self.seen if self.began_as == "returned" and not self.again else min(self.seen, self.joined)
        left = self.gone_by or self.left
        if moment <= first or (left is not None and left < moment):
            return None
        so_far = [active for at, active in self.states if at < moment]
        return so_far[-1] if so_far else self.states[0][1]


@dataclass
class Books:
    """What a sequence of pulls must come to; it sees every pull, and shares nothing with the marts."""

    stays: dict[Key, list[Stay]] = field(default_factory=lambda: defaultdict(list))
    moves: dict[tuple[int, dt.date], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    began: dt.datetime | None = None

    def pulled(self, rows: list[Row], at: dt.datetime, complete: bool) -> None:
        """A pull that has found these rows."""
        opening, self.began = self.began is None, self.began or at
        found = {key_of(row): row for row in rows}
        for key, row in found.items():
            self._seen(key, row, at, opening)
        for key, stays in self.stays.items():
            if complete and key not in found and stays[-1].left is None:
                stays[-1].left = at
                self._move(key, at, "removed", stays[-1].states[-1][1])

    def _seen(self, key: Key, row: Row, at: dt.datetime, opening: bool) -> None:
        stays = self.stays[key]
        again = bool(stays) and stays[-1].left is None and row["signup_date"] > stays[-1].joined
        if again:
            stays[-1].left, stays[-1].gone_by = at, min(at, row["signup_date"])
            self._turned(key, at, stays[-1].states[-1][1], row["active"])
        if not stays or stays[-1].left is not None:
            move = "opening" if opening else "returned" if stays else "new"
            if not again:
                self._move(key, at, move, row["active"])
            stays.append(Stay(row["signup_date"], at, move, [(at, row["active"])], again=again))
            return
        stays[-1].joined = row["signup_date"]
        if self._turned(key, at, stays[-1].states[-1][1], row["active"]):
            stays[-1].states.append((at, row["active"]))

    def _turned(self, key: Key, at: dt.datetime, before: bool, after: bool) -> bool:
        if before != after:
            self._move(key, at, "reactivated" if after else "opted_out", True)
        return before != after

    def _move(self, key: Key, at: dt.datetime, move: str, active: bool) -> None:
        self.moves[key[1], at.date()][move if active else f"inactive_{move}"] += 1

    def days(self) -> dict[tuple[dt.date, int], tuple[int, ...]]:
        """list_churn: opening, new, returned, reactivated, opted_out, removed, closing, and those of the inactive."""
        active: Counter[int] = Counter()
        inactive: Counter[int] = Counter()
        rows = {}
        for (number, day), moves in sorted(self.moves.items(), key=lambda item: item[0][1]):
            active[number] += moves["opening"]
            inactive[number] += moves["inactive_opening"]
            before = active[number], inactive[number]
            new = moves["new"] + moves["returned"]
            inactive_new = moves["inactive_new"] + moves["inactive_returned"]
            turned = moves["reactivated"] - moves["opted_out"]
            active[number] += new + turned - moves["removed"]
            inactive[number] += inactive_new - turned - moves["inactive_removed"]
            rows[day, number] = (
                before[0], new, moves["returned"], moves["reactivated"], moves["opted_out"], moves["removed"],
                active[number], before[1], inactive_new, moves["inactive_removed"], inactive[number],
            )  # fmt: skip
        return rows

    def between(self, number: int, begin: dt.datetime, end: dt.datetime) -> Counter[tuple[str, str]]:
        """How many contacts of a list were in which state at the one and at the other instant."""
        assert self.began is not None
        first = max(begin, self.began + dt.timedelta(microseconds=1))
        return Counter(
            (_state(stays, first), _state(stays, end))
            for key, stays in self.stays.items()
            if key[1] == number
        )

    def stretches(self) -> set[tuple[Any, ...]]:
        """list_membership: number, list, state, since when, by what, until when, and whether it was removed then."""
        found = set()
        for key, stays in self.stays.items():
            for stay in stays:
                ends = [at for at, _ in stay.states[1:]] + [stay.left]
                for place, ((at, active), end) in enumerate(zip(stay.states, ends, strict=True)):
                    turn = "reactivated" if active else "opted_out"
                    removed = place == len(ends) - 1 and end is not None
                    found.add((*key, active, at, turn if place else stay.began_as, end, removed))
        return found

    def retained(self, as_of: dt.datetime) -> dict[tuple[int, dt.date, int], tuple[int, int, int]]:
        """Retention by list, month and age: contacts, those on the list, those active."""
        assert self.began is not None
        cohorts: dict[tuple[int, dt.date], dict[Key, list[Stay]]] = defaultdict(lambda: defaultdict(list))
        for key, stays in self.stays.items():
            for stay in stays:
                cohorts[key[1], stay.joined.date().replace(day=1)][key].append(stay)
        rows = {}
        for (number, month), members in cohorts.items():
            for age in range(60):
                end = _after(month, age + 1)
                if end <= self.began:
                    continue
                moment = min(end, as_of + dt.timedelta(microseconds=1))
                states = [
                    state
                    for stays in members.values()
                    for stay in stays
                    if (state := stay.state(moment)) is not None
                ]
                rows[number, month, age] = (len(members), len(states), sum(states))
                if end > as_of:
                    break
        return rows


def _state(stays: list[Stay], moment: dt.datetime) -> str:
    """Of a contact before an instant, as pulls saw it."""
    states = [(at, "active" if active else "inactive") for stay in stays for at, active in stay.states]
    states += [(stay.left, "gone") for stay in stays if stay.left and not _came_at(stays, stay.left)]
    seen = [state for state in sorted(states) if state[0] < moment]
    return seen[-1][1] if seen else "never"


def _came_at(stays: list[Stay], moment: dt.datetime) -> bool:
    """Whether a contact signed up again between two pulls: it was there in both."""
    return any(stay.states[0][0] == moment for stay in stays)


def _after(month: dt.date, months: int) -> dt.datetime:
    place = month.year * 12 + month.month - 1 + months
    return dt.datetime(place // 12, place % 12 + 1, 1, tzinfo=dt.UTC)


def _drift(rng: random.Random, rows: dict[Key, Row], gone: list[Row], now: dt.datetime) -> None:
    """Contacts opt out, come back, leave, sign up again, change lists and join."""
    for row in rng.sample(list(rows.values()), len(rows) // 3):
        what = rng.randrange(6)
        if what < 2:
            row["active"] = not row["active"]
        elif what == 2:
            row["send_count"] += 1
        elif what == 5:
            row["signup_date"] = max(row["signup_date"], now - dt.timedelta(hours=1))
        else:
            gone.append(rows.pop(key_of(row)))
            if what == 4:
                moved = row | {"list_id": rng.choice(LISTS), "signup_date": now}
                rows[key_of(moved)] = moved
    for row in rng.sample(gone, len(gone) // 3):
        rows.setdefault(key_of(row), row | {"signup_date": rng.choice([now, row["signup_date"]])})
    for _ in range(rng.randrange(4)):
        new = _contact(rng, now - dt.timedelta(days=rng.randrange(3)))
        rows.setdefault(key_of(new), new)


def _contact(rng: random.Random, joined: dt.datetime) -> Row:
    phone = f"+1555{rng.randrange(10_000_000):07d}"
    return CONTACT | {
        "phone_number": phone, "list_id": rng.choice(LISTS), "signup_date": joined, "active": rng.random() < 0.8,
    }  # fmt: skip


@pytest.mark.parametrize("seed", seeds(1))
def test_books_of_random_pulls_close(seed: int, tmp_path: Path) -> None:
    """Every list and day, every cohort and age, after pulls of which some are fuzzy and some fall on one day."""
    rng = random.Random(seed)
    settings = load_settings(api_key=API_KEY, data_dir=tmp_path)
    now = dt.datetime(2026, 1, 29, 12, tzinfo=dt.UTC)
    made = [_contact(rng, now - dt.timedelta(days=rng.randrange(100))) for _ in range(60)]
    rows, gone, books, before = {key_of(row): row for row in made}, list[Row](), Books(), dict[Key, Row]()
    for step in range(6):
        complete = step == 0 or rng.random() < 0.7
        carried = {} if complete else {key: row for key, row in before.items() if key not in rows}
        before = {key: dict(row) for key, row in (carried | rows).items()}
        found = list(before.values())
        publish_rows(settings, "contacts", found, now, Consistency.EXACT if complete else Consistency.FUZZY)
        books.pulled(found, now, complete)
        last, now = now, now + dt.timedelta(hours=rng.choice([2, 30, 400]))
        _drift(rng, rows, gone, now)
    columns = (
        "opening", "new", "returned", "reactivated", "opted_out", "removed", "closing",
        "inactive_opening", "inactive_new", "inactive_removed", "inactive_closing",
    )  # fmt: skip
    churn = mart(settings, "list_churn", "Pacific/Auckland")
    assert {
        (row["day"], row["list_id"]): tuple(row[name] for name in columns) for row in churn
    } == books.days()
    retention = {
        (row["list_id"], row["month"], row["age"]): (row["contacts"], row["on_list"], row["active"])
        for row in mart(settings, "retention", "America/Los_Angeles")
    }
    assert retention == books.retained(last)
    assert any(contacts > on_list for contacts, on_list, _ in retention.values())
    stretches = {
        (
            row["phone_number"], row["list_id"], row["active"], row["since"], row["started_by"], row["until"],
            row["removed"],
        )
        for row in mart(settings, "list_membership")
    }  # fmt: skip
    assert stretches == books.stretches()
    _check_the_months(settings, churn, books)
    _check_the_ends(settings, churn, before)


def _check_the_months(settings: Settings, churn: list[Row], books: Books) -> None:
    """By month everybody counts once: by where they were when it began, and where they are when it ends."""
    days: dict[tuple[dt.date, int], list[Row]] = defaultdict(list)
    for row in sorted(churn, key=lambda row: row["day"]):
        days[row["day"].replace(day=1), row["list_id"]].append(row)
    months = {
        (row["month"], row["list_id"]): row
        for row in mart(settings, "list_churn_monthly", "Pacific/Auckland")
    }
    assert months.keys() == days.keys()
    for (month, number), row in months.items():
        of = days[month, number]
        assert (row["opening"], row["closing"]) == (of[0]["opening"], of[-1]["closing"])
        assert row["net"] == row["closing"] - row["opening"] == sum(day["net"] for day in of)
        moves = books.between(number, _after(month, 0), _after(month, 1))
        names = {
            "new": [("never", "active"), ("gone", "active")],
            "returned": [("gone", "active")],
            "reactivated": [("inactive", "active")],
            "opted_out": [("active", "inactive")],
            "removed": [("active", "gone")],
            "inactive_new": [("never", "inactive"), ("gone", "inactive")],
            "inactive_removed": [("inactive", "gone")],
        }
        assert {name: row[name] for name in names} == {
            name: sum(moves[turn] for turn in turns) for name, turns in names.items()
        }
        outs = row["opted_out"] + row["removed"]
        assert row["churn_rate"] == (pytest.approx(outs / row["opening"]) if row["opening"] else None)


def _check_the_ends(settings: Settings, churn: list[Row], present: dict[Key, Row]) -> None:
    """Each day goes on where the one before it ended, and the last is what is published."""
    last: dict[int, tuple[int, int]] = {}
    for row in sorted(churn, key=lambda row: row["day"]):
        opening = row["opening"], row["inactive_opening"]
        assert last.get(row["list_id"], opening) == opening
        assert row["net"] == row["closing"] - row["opening"]
        last[row["list_id"]] = row["closing"], row["inactive_closing"]
    now = Counter((row["list_id"], row["active"]) for row in present.values())
    assert last == {number: (now[number, True], now[number, False]) for number in last}
    stretches = query(
        settings.warehouse,
        "SELECT count(*), count(*) FILTER (WHERE active) FROM marts.list_membership WHERE until IS NULL",
    )
    assert stretches == [(len(present), sum(row["active"] for row in present.values()))]


@pytest.fixture
def account() -> Account:
    """A page of contacts: what serves it is pulled several times."""
    return seed_account(contacts=300)


def test_what_an_account_does_between_pulls_is_in_the_books(account: Account, settings: Settings) -> None:
    """Opted out, come back, left, signed up again, moved to another list; a fuzzy pull removes nobody."""
    rows = account.contacts()
    for row in rows[:3]:
        row["active"] = True
    opted, left, moved = rows[:3]
    unread = rows[4]
    sends = unread["send_count"]
    active = Counter(row["list_id"] for row in rows if row["active"])
    pull(settings, ["contacts"], "r1")
    opted["active"] = False
    account.remove_contact(key_of(left))
    account.remove_contact(key_of(moved))
    other = next(item["id"] for item in account.lists if item["id"] != moved["list_id"])
    account.add_contact({**moved, "list_id": other, "phone_number": "+15550001111"})
    unread["send_count"] = "many"  # such a row is quarantined, and has not left
    pull(settings, ["contacts"], "r2")
    opted["active"] = True
    account.add_contact({**left, "signup_date": "2026-11-01T00:00:00"})
    unread["send_count"] = sends
    pull(settings, ["contacts"], "r3")
    account.remove_contact(key_of(left))
    pull(settings, ["contacts"], "r4", since_last=True)  # fuzzy: whoever it does not see stays
    names = ("new", "returned", "reactivated", "opted_out", "removed")
    found: Counter[str] = Counter()
    for row in mart(settings, "list_churn"):
        found.update({name: row[name] for name in names})
        assert (
            row["opening"] + row["new"] + row["reactivated"] - row["opted_out"] - row["removed"]
            == row["closing"]
        )
        assert row["opening"] == active[row["list_id"]]
    assert found == {"new": 2, "returned": 1, "reactivated": 1, "opted_out": 1, "removed": 2}
    month: Counter[str] = Counter()
    for row in mart(settings, "list_churn_monthly"):
        month.update({name: row[name] for name in names})
    # one opted out and became active again, one left and came back: by month neither has moved
    assert month == {"new": 1, "returned": 0, "reactivated": 0, "opted_out": 0, "removed": 1}


def test_a_cohort_keeps_those_who_signed_up_again_between_two_pulls(tmp_path: Path) -> None:
    """Whoever left and came back unseen is gone from the old month, from the new sign-up on, and in the new one."""
    settings = load_settings(api_key=API_KEY, data_dir=tmp_path)
    joined, again = dt.datetime(2026, 9, 3, tzinfo=dt.UTC), dt.datetime(2026, 10, 20, tzinfo=dt.UTC)
    rows = [
        CONTACT | {"phone_number": f"+1555000000{n}", "list_id": 1, "signup_date": joined} for n in range(10)
    ]
    publish_rows(settings, "contacts", rows, dt.datetime(2026, 9, 5, tzinfo=dt.UTC))
    for row in rows[:4]:
        row["signup_date"] = again
    rows[3]["active"] = False
    rows[4]["signup_date"] = joined - dt.timedelta(days=1)  # an earlier date is a correction
    publish_rows(settings, "contacts", rows, dt.datetime(2026, 11, 2, tzinfo=dt.UTC))
    found = {
        (str(row["month"]), row["age"]): (row["contacts"], row["on_list"], row["active"], row["gone"])
        for row in mart(settings, "retention")
    }
    assert found == {
        ("2026-09-01", 0): (10, 10, 10, 0),
        ("2026-09-01", 1): (10, 6, 6, 4),
        ("2026-09-01", 2): (10, 6, 6, 4),
        ("2026-10-01", 0): (4, 4, 3, 0),
        ("2026-10-01", 1): (4, 4, 3, 0),
    }
    (first, last) = sorted(mart(settings, "list_churn"), key=lambda row: row["day"])
    assert (first["closing"], last["opening"]) == (10, 10)
    # they were there in both pulls: nobody was removed, and one of them opted out
    names = (
        "new",
        "returned",
        "reactivated",
        "opted_out",
        "removed",
        "inactive_new",
        "inactive_removed",
        "closing",
    )
    assert [last[name] for name in names] == [0, 0, 0, 1, 0, 0, 0, 9]
    assert last["churn_rate"] == 0.1
