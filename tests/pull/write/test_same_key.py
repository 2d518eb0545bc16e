"""Two rows of one key in one scan: both are accounted for; a row that changed while it was read is still one row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oracle import query

from pipelines.pull.rollback import replay
from pipelines.pull.run import pull
from pipelines.sandbox import Account, running, seed_account
from pipelines.settings import Settings

NAMES = ("contacts", "revenue", "creatives", "offers", "lists", "audiences", "schedules")
CHANGED = {"revenue": "payout", "contacts": "send_count", "offers": "name", "lists": "list_name"}
"""A field of each dataset that may be other in the second row of a key; else `name`."""


@pytest.fixture
def account() -> Account:
    """Contacts, events and creatives on several pages, everything else on one."""
    account = seed_account(contacts=1_300)
    account.options.revenue_events = True
    account.revenue = [{**account.revenue[0], "id": f"sale_{number}"} for number in range(260)]
    account.creatives = [{**account.creatives[0], "id": number, "status": "active"} for number in range(260)]
    return account


@pytest.fixture
def settings(account: Account, tmp_path: Path, settings_of: Any) -> Iterator[Settings]:
    with running(account) as server:
        yield settings_of(server.url, tmp_path / "data", pull_bad_share=0.5)


def rows_of(account: Account, name: str) -> list[dict[str, Any]]:
    """In the order of reading, from the top."""
    if name == "contacts":
        return account.contacts()
    found: list[dict[str, Any]] = getattr(account, name)
    return found[::-1] if name == "revenue" else found


def test_every_row_of_a_key_is_accounted_for(account: Account, settings: Settings) -> None:
    """Wherever the two stand: on one page, on two, first and last of all, or in two states."""
    twins = {
        "contacts": [(7, 1_200), (0, 1_299)],
        "revenue": [(3, 230), (0, 259), (97, 98), (50, 51), (120, 251)],
        "creatives": [(10, 240), (99, 198)],
        "offers": [(0, 1)], "lists": [(0, 1)], "audiences": [(0, 1)], "schedules": [(0, 1)],
    }  # fmt: skip
    for name, pairs in twins.items():
        rows = rows_of(account, name)
        for at, other in pairs:
            key = ("phone_number", "list_id") if name == "contacts" else ("id",)
            rows[other].update({field: rows[at][field] for field in key})
            changed = CHANGED.get(name, "name")
            rows[other][changed] = 77 if changed in ("payout", "send_count") else "another"
    last = account.creatives
    last.append({**last[20], "status": "archived", "name": "in another state"})
    account.offers.append({**account.offers[2], "status": "archived", "name": "in another state"})
    account.lists.append({**account.lists[2], "status": "deleted", "list_name": "in another state"})
    # beside contacts, a first pull of events that is not proven gives way to the contacts' totals
    events = pull(settings, ["revenue"], "r0")
    for snapshot in [*events, *pull(settings, [name for name in NAMES if name != "revenue"], "r1")]:
        name, served = snapshot.manifest.dataset, rows_of(account, snapshot.manifest.dataset)
        key = ("phone_number", "list_id") if name == "contacts" else ("id",)
        changed = CHANGED.get(name, "name")
        keys = {tuple(row[field] for field in key) for row in served}
        assert snapshot.manifest.rows == len(keys), name
        assert snapshot.manifest.quarantined == len(served) - len(keys) > 0, name
        if name not in ("revenue", "creatives"):  # on neighbouring pages it looks like a row that moves
            assert snapshot.manifest.consistency == "exact", (name, snapshot.manifest.evidence)
        found = query(settings.warehouse, f"SELECT raw, reason FROM quarantine.{name}")
        assert all("same " in reason and "other content" in reason for _, reason in found), name
        whole = f"{changed}::INTEGER" if changed == "payout" else changed
        published = query(settings.warehouse, f"SELECT {', '.join((*key, whole))} FROM {name}")
        apart = [json.loads(raw) for raw, _ in found]
        seen = [*map(str, published), *(str(tuple(row[field] for field in (*key, changed))) for row in apart)]
        wanted = [str(tuple(row[field] for field in (*key, changed))) for row in served]
        assert sorted(seen) == sorted(wanted), name
    assert replay(settings, "revenue", "r2")[1] == 0
    assert pull(settings, ["revenue"], "r3")[0].manifest.schema_changes == ""


def test_a_row_that_changed_or_moved_while_it_was_read_is_one_row(
    account: Account, settings: Settings
) -> None:
    """Whatever changes at every request, in place or by coming to the top, nothing is quarantined."""
    moving = {"on": False}

    def change(number: int, of: Account) -> None:
        for row in of.revenue:
            row["payout"] = number
        for row in (*of.creatives, *of.offers):
            row["name"] = f"at {number}"
        for row in of.contacts()[985:1005]:
            row["send_count"] += 1
        if moving["on"] and number % 3 == 0:
            of.revenue.append(of.revenue.pop(200 - number % 50))
            row = of.contacts()[1_100 + number % 50]
            of.remove_contact((row["phone_number"], row["list_id"]))
            of.add_contact({**row, "signup_date": f"2031-01-01T00:00:{number % 60:02}"})

    account.before_request = change
    for step in ("in place", "moved"):
        moving["on"] = step == "moved"
        for snapshot in pull(settings, ["contacts", "revenue", "creatives", "offers"], step):
            name = snapshot.manifest.dataset
            assert snapshot.manifest.quarantined == 0, (step, name)
            assert snapshot.manifest.rows == len(rows_of(account, name)), (step, name)


def test_a_row_that_became_bad_while_it_was_read_is_not_published_as_it_was(
    account: Account, settings: Settings
) -> None:
    """Its last version counts, and is quarantined: where two pages overlap it is read well and then badly."""

    def break_after_first_page(number: int, of: Account) -> None:
        if number == 1:
            for row in of.contacts()[985:1005]:
                row["send_count"] = "many"

    account.before_request = break_after_first_page
    ((snapshot),) = pull(settings, ["contacts"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (1_285, 15)
