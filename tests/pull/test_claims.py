"""Accounts that claim other rows than they serve, or page in their own way; nothing is lost or made up."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from oracle import key_of, query, same, shown

from pipelines.pull.run import pull
from pipelines.sandbox import Account, Options, Server, parse_fault, running, seed_account
from pipelines.settings import Settings


@pytest.mark.parametrize("claimed", [0, 100])
@pytest.mark.usefixtures("contacts_pulled")
def test_a_total_that_is_too_low_neither_adds_nor_loses_rows(
    account: Account, server: Server, settings: Settings, claimed: int
) -> None:
    """However few rows the API claims, what it serves twice the same is published, and the evidence says so."""
    account.remove_contact(key_of(account.contacts()[5]))
    server.faults.active.append(parse_fault(f"total,value={claimed},path=contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert snapshot.manifest.consistency == "repaired"
    assert f"{claimed:,} rows are claimed, 1,099 are served, twice the same" in snapshot.manifest.evidence


@pytest.mark.parametrize("fault", ["total,value=3600", "more,value=2500"])
def test_rows_that_are_claimed_and_never_served_are_counted(
    account: Account, server: Server, settings: Settings, fault: str
) -> None:
    """Nothing proves that a total is wrong: the snapshot is fuzzy, and says how many rows it lacks."""
    server.faults.active.append(parse_fault(f"{fault},path=contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert (snapshot.manifest.consistency, snapshot.manifest.unserved) == ("fuzzy", 2_500)
    assert "2,500 rows that the API claims were not there to be read" in snapshot.manifest.evidence
    assert "a state that can change" in snapshot.manifest.evidence


def test_a_reading_in_parts_confirms_nothing(account: Account, server: Server, settings: Settings) -> None:
    """Contacts that are never in the part that is asked for leave all totals as if they were not there."""
    server.faults.active.append(parse_fault("cut,value=1050,path=/contacts"))
    hidden = [key_of(row) for row in account.contacts()[1_040:1_090]]

    def hide(_number: int, of: Account) -> None:
        asked = {request.query.get("active") for request in of.log[-1:]}
        for key in hidden:
            row = of.contact(key)
            assert row is not None
            row["active"] = asked == {"true"}

    account.before_request = hide
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert snapshot.manifest.consistency == "fuzzy"
    assert snapshot.manifest.rows + snapshot.manifest.unserved == 1_100


@pytest.mark.parametrize(("size", "more"), [(100, "no-total"), (1000, "")])
def test_pages_of_one_size_whatever_is_asked_for_are_read_whole(
    account: Account, server: Server, settings: Settings, size: int, more: str
) -> None:
    """Such pages never overlap: every row is there, and a second reading that is equal says so."""
    faults = [f"page-size,value={size},path=/contacts", *([f"{more},path=/contacts"] if more else [])]
    server.faults.active += [parse_fault(fault) for fault in faults]
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert snapshot.manifest.consistency == "exact"
    assert snapshot.manifest.requests < 3 * 1100 / size + 20
    newest = account.contacts()[0]
    account.add_contact({**newest, "phone_number": "+15551112222", "signup_date": "2026-01-01T00:00:00"})
    pull(settings, ["contacts"], "r2", since_last=True)
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


def test_pages_of_one_size_under_drift_prove_nothing(
    account: Account, server: Server, settings: Settings
) -> None:
    """Where no two readings are equal the snapshot is fuzzy, after a few of them."""
    account.before_request = _remove_one_and_add_one
    server.faults.active.append(parse_fault("page-size,value=100,path=/contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert snapshot.manifest.consistency == "fuzzy"
    assert snapshot.manifest.requests < 75


def _remove_one_and_add_one(number: int, account: Account) -> None:
    rows = account.contacts()
    account.remove_contact(key_of(rows[number * 7 % len(rows)]))
    account.add_contact(
        {
            **rows[0],
            "phone_number": f"+1555{number:07}",
            "signup_date": f"2026-01-01T{number // 60 % 24:02}:{number % 60:02}:00",
        }
    )


@pytest.mark.usefixtures("contacts_pulled")
def test_rows_that_are_claimed_and_not_served_have_not_gone(
    account: Account, server: Server, settings: Settings
) -> None:
    """An account that serves the first rows of a query only, again and again, proves nothing about the others."""
    server.faults.active.append(parse_fault("cut,value=600,path=/contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.consistency == "fuzzy"
    assert "1,100 rows are claimed, 600 are served" in snapshot.manifest.evidence
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert query(
        settings.warehouse, "SELECT count(*) FROM contacts_history WHERE removed_at IS NOT NULL"
    ) == [(0,)]


@pytest.mark.usefixtures("contacts_pulled")
def test_a_cut_account_that_changes_loses_nothing_either(
    account: Account, server: Server, settings: Settings
) -> None:
    """That the account changes meanwhile does not explain hundreds of rows that are claimed and not served."""
    server.faults.active.append(parse_fault("cut,value=700,path=/contacts"))
    account.before_request = _remove_one_and_add_one
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.consistency == "fuzzy"
    assert query(
        settings.warehouse, "SELECT count(*) FROM contacts_history WHERE removed_at IS NOT NULL"
    ) == [(0,)]


def test_an_account_that_outgrows_its_reading_ends_it(
    tmp_path: Any, settings_of: Callable[..., Settings]
) -> None:
    """More rows come with each request than it gives, and no total bounds the reading: it ends all the same."""
    account = seed_account(contacts=200)
    account.options = Options(revenue_events=True)
    rows = account.revenue[:1]
    fresh = count(10**6)

    def grow(_number: int, account: Account) -> None:
        account.revenue += [{**rows[0], "id": f"rev{next(fresh)}"} for _ in range(120)]

    account.before_request = grow
    with running(account) as server:
        server.faults.active.append(parse_fault("no-total,path=/revenue"))
        (snapshot,) = pull(settings_of(server.url, tmp_path / "data"), ["revenue"], "r1")
    assert snapshot.manifest.consistency == "fuzzy"
    assert snapshot.manifest.requests < 1_500
