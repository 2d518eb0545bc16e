"""Marts of who the contacts are: people, overlap of lists, profile; with hashed numbers, by plain Python."""

import datetime as dt
import json
import pickle
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from beginnings import beginning
from made_snapshots import CONTACT, publish_rows
from oracle import expected, mart

from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, running, seed_account, write_history
from pipelines.settings import Settings, load_settings
from pipelines.warehouse.swap import replacing

Row = dict[str, Any]


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Account, Settings]:
    """An account with people on several lists and imported history, with hashed phone numbers."""

    def make(folder: Path) -> Account:
        account = seed_account(contacts=500)
        for row in account.contacts()[:200]:
            for number in (1, 2):
                if account.contact((row["phone_number"], number)) is None:
                    account.add_contact(
                        {**row, "list_id": number, "active": not row["active"], "carrier": None}
                    )
        account.contacts()[0]["is_valid"] = None
        with running(account) as server:
            settings = load_settings(
                api_key=API_KEY,
                base_url=server.url,
                data_dir=folder / "data",
                hash_phones="a secret of this test",
            )
            write_history(account, settings.history, sends=200)
            push(settings, ["sends", "clicks", "revenue"])
            pull(settings, ["contacts", "lists"], "run")
        return account

    made = beginning(tmp_path_factory, "hashed", make)
    account: Account = pickle.loads(made.account)  # noqa: S301 - our own
    return account, load_settings(api_key=API_KEY, data_dir=made.data_dir)


def test_overlap_is_by_person(hashed: tuple[Account, Settings]) -> None:
    """Pairs of lists, each once, with how many people are on both."""
    account, settings = hashed
    of: dict[str, dict[int, bool]] = defaultdict(dict)
    for row in account.contacts():
        of[row["phone_number"]][row["list_id"]] = row["active"]
    sizes = Counter(row["list_id"] for row in account.contacts())
    people: Counter[tuple[int, int]] = Counter()
    active: Counter[tuple[int, int]] = Counter()
    for lists in of.values():
        for pair in combinations(sorted(lists), 2):
            people[pair] += 1
            active[pair] += lists[pair[0]] and lists[pair[1]]
    rows = mart(settings, "list_overlap")
    assert {(row["list_id"], row["other_list_id"]): row["people"] for row in rows} == people
    names = {item["id"]: item["list_name"] for item in account.lists}
    for row in rows:
        pair = row["list_id"], row["other_list_id"]
        assert row["active"] == active[pair]
        assert row["share_of_list"] == pytest.approx(people[pair] / sizes[pair[0]])
        assert row["share_of_other"] == pytest.approx(people[pair] / sizes[pair[1]])
        assert (row["list_name"], row["other_list_name"]) == (names[pair[0]], names[pair[1]])


def test_profile_adds_up_to_the_list(hashed: tuple[Account, Settings]) -> None:
    """Carrier, line type, time zone, sign-up method and validity: contacts and money by value, unknown ones too."""
    account, settings = hashed
    groups: dict[tuple[int, str, Any], list[Row]] = defaultdict(list)
    for contact in map(expected, account.contacts()):
        for name in ("carrier", "line_type", "timezone", "signup_method", "is_valid"):
            value = contact.get(name)
            value = str(value).lower() if isinstance(value, bool) else value
            groups[contact["list_id"], name, value].append(contact)
    rows = {
        (row["list_id"], row["attribute"], row["value"]): row for row in mart(settings, "audience_profile")
    }
    assert rows.keys() == groups.keys()
    sizes = Counter(row["list_id"] for row in account.contacts())
    for key, contacts in groups.items():
        row = rows[key]
        assert row["contacts"] == len(contacts)
        assert row["share"] == pytest.approx(len(contacts) / sizes[key[0]])
        assert row["active"] == sum(contact["active"] for contact in contacts)
        assert row["opted_out"] == sum(not contact["active"] for contact in contacts)
        assert row["invalid"] == sum(contact["is_valid"] is False for contact in contacts)
        assert row["revenue"] == sum((contact["revenue_total"] for contact in contacts), Decimal(0))
        assert row["sends"] == sum(contact["send_count"] for contact in contacts)


def test_growth_by_month_ends_where_the_days_end(hashed: tuple[Account, Settings]) -> None:
    """Sign-ups by month, and at the end what is on the list."""
    account, settings = hashed
    signups = Counter(
        (expected(row)["signup_date"].date().replace(day=1), row["list_id"]) for row in account.contacts()
    )
    rows = mart(settings, "list_growth_monthly")
    assert {(row["month"], row["list_id"]): row["signups"] for row in rows} == signups
    last = {row["list_id"]: row["contacts"] for row in sorted(rows, key=lambda row: row["month"])}
    assert last == Counter(row["list_id"] for row in account.contacts())


def test_people_are_their_contacts_together(hashed: tuple[Account, Settings]) -> None:
    """One row a number, though it is hashed: lists, money, and how much of that was imported."""
    account, settings = hashed
    contacts: dict[str, list[Row]] = defaultdict(list)
    for row in account.contacts():
        contacts[row["phone_number"]].append(expected(row))
    imported: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in account.revenue:
        if row["message_id"] in account.sends:
            imported[account.sends[row["message_id"]]["to_number"]] += Decimal(str(row["revenue"]))
    wanted = []
    for phone, rows in contacts.items():
        revenue = sum((row["revenue_total"] for row in rows), Decimal(0))
        sent = [row["last_sent_at"] for row in rows if row["last_sent_at"]]
        wanted.append((
            sorted(row["list_id"] for row in rows), sum(row["active"] for row in rows),
            min(row["signup_date"] for row in rows), max(sent, default=None),
            sum(row["send_count"] for row in rows), revenue, imported[phone], revenue - imported[phone],
        ))  # fmt: skip
    found = [
        (
            json.loads(row["list_ids"]), row["active_lists"], row["first_signup_at"], row["last_sent_at"],
            row["sends"], row["revenue"], row["imported_revenue"], row["organic_revenue"],
        )
        for row in mart(settings, "people")
    ]  # fmt: skip
    assert sorted(found, key=repr) == sorted(wanted, key=repr)
    assert sum(imported.values()) > 0
    assert all(row["phone_number"].startswith("hmac:") for row in mart(settings, "people"))


def test_sends_of_a_week_and_a_month(tmp_path: Path) -> None:
    """How send_count has grown, less old sends imported since; null where nobody can know."""
    settings = load_settings(api_key=API_KEY, data_dir=tmp_path)
    now = dt.datetime(2026, 6, 30, tzinfo=dt.UTC)

    def ago(days: float) -> dt.datetime:
        return now - dt.timedelta(days=days)

    def contact(name: int, sends: int, sent: float | None, joined: float = 300, number: int = 1) -> Row:
        return CONTACT | {
            "phone_number": f"+1555000000{name}", "list_id": number, "send_count": sends,
            "last_sent_at": None if sent is None else ago(sent), "signup_date": ago(joined),
        }  # fmt: skip

    publish_rows(settings, "contacts", [contact(1, 5, 20), contact(2, 8, 25), contact(4, 4, 30)], ago(20))
    publish_rows(settings, "contacts", [contact(1, 7, 9), contact(2, 8, 25), contact(4, 4, 31)], ago(8))
    publish_rows(
        settings,
        "contacts",
        [
            contact(1, 10, 1), contact(1, 2, 3, joined=4, number=2), contact(2, 8, 25), contact(3, 0, None),
            contact(4, 9, 1), contact(5, 3, 2),
        ],
        now,
    )  # fmt: skip
    with replacing(settings.warehouse) as connection:
        for age in (100, 100, 100, 3):  # three old sends, and one that is in the window itself
            connection.execute(
                'INSERT INTO imports.records (dataset, outcome, attempt, in_input, phone_number, "at", happened_at)'
                " VALUES ('sends', 'accepted', 1, true, '+15550000004', ?, ?)",
                [ago(2), ago(age)],
            )
    found = {row["phone_number"][-1]: (row["sends_7d"], row["sends_30d"]) for row in mart(settings, "people")}
    assert found == {"1": (5, None), "2": (0, None), "3": (0, 0), "4": (2, None), "5": (None, None)}


def test_sends_on_lists_that_were_left_or_joined_again_count(tmp_path: Path) -> None:
    """A counter that ended or began again within the time has still counted messages."""
    settings = load_settings(api_key=API_KEY, data_dir=tmp_path)
    now = dt.datetime(2026, 6, 30, tzinfo=dt.UTC)

    def contact(name: int, sends: int, joined: float = 300, number: int = 1, sent: float = 0.5) -> Row:
        return CONTACT | {
            "phone_number": f"+1555000000{name}", "list_id": number, "send_count": sends,
            "last_sent_at": now - dt.timedelta(days=sent), "signup_date": now - dt.timedelta(days=joined),
        }  # fmt: skip

    stays = [contact(name, 1, number=2, sent=200) for name in range(1, 7)]
    pulls = {
        40: [contact(1, 10), contact(2, 10), contact(3, 10), contact(4, 10), contact(5, 10)],
        6: [
            contact(1, 13, sent=6.5),
            contact(2, 14, sent=6.5),
            contact(3, 12, sent=6.5),
            contact(5, 11, sent=20),
        ],
        4: [contact(1, 15, sent=5), contact(2, 14, sent=6.5), contact(6, 9, joined=90)],
        2: [contact(2, 2, joined=3), contact(3, 3, joined=3), contact(4, 13), contact(5, 0, joined=3)],
        0: [contact(2, 3, joined=3), contact(3, 3, joined=3), contact(4, 13), contact(5, 0, joined=3)],
    }
    for age, rows in pulls.items():
        publish_rows(settings, "contacts", stays + rows, now - dt.timedelta(days=age))
    found = {row["phone_number"][-1]: (row["sends_7d"], row["sends_30d"]) for row in mart(settings, "people")}
    assert found == {
        "1": (5, 5),  # left after two growths
        "2": (7, 7),  # 4 before, 3 after the new sign-up, which no pull saw coming
        "3": (5, 5),  # the same, with a gap that a pull saw
        "4": (3, 3),  # gone for a while: its counter went on
        "5": (0, 1),
        "6": (None, None),  # first seen with a counter from before, and gone since
    }
