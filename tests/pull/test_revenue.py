"""Revenue out of contacts' totals, or as events where the account serves them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from beginnings import seeded
from oracle import assert_equal, query, same, shown

from pipelines.errors import DataError
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Options, Server, parse_fault, running
from pipelines.settings import Settings

BOTH = ("contacts", "revenue")


@pytest.mark.usefixtures("pulled")
def test_revenue_from_totals_sums_to_the_contacts(account: Account, settings: Settings) -> None:
    """Without GET /revenue each change of a contact's totals is a row, and the sums agree at any moment."""
    opening = query(settings.warehouse, "SELECT count(*) FROM revenue WHERE since IS NULL")[0][0]
    assert opening == sum(1 for row in account.contacts() if row["revenue_total"] or row["conversion_count"])
    rows = account.contacts()
    rows[3]["revenue_total"] += 1.1
    rows[3]["conversion_count"] += 1
    rich = next(row for row in rows if row["revenue_total"] > 2)
    account.remove_contact((rich["phone_number"], rich["list_id"]))
    pull(settings, BOTH, "r2")
    changes = query(
        settings.warehouse,
        "SELECT phone_number, list_id, revenue, conversion_count, source FROM revenue WHERE since IS NOT NULL",
    )
    assert sorted(changes) == sorted(
        [
            (rows[3]["phone_number"], rows[3]["list_id"], Decimal("1.1000"), 1, "contacts"),
            (rich["phone_number"], rich["list_id"], -Decimal(str(rich["revenue_total"])), -1, "contacts"),
        ]
    )
    totals = "SELECT (SELECT sum(revenue) FROM revenue), (SELECT sum(revenue_total) FROM contacts)"
    ((by_change, by_contact),) = query(settings.warehouse, totals)
    truth = sum(Decimal(str(row["revenue_total"])) for row in account.contacts())
    assert by_change == by_contact == truth.quantize(Decimal("0.0001"))


def test_revenue_events_where_the_account_serves_them(
    tmp_path: Any, settings_of: Callable[..., Settings]
) -> None:
    """An account that serves GET /revenue gives one row per event, as it sent them."""
    account = seeded(300)
    account.options = Options(revenue_events=True)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        pull(settings, BOTH, "r1")
    found = [
        {name: value for name, value in row.items() if name != "source"}
        for row in shown(settings.warehouse, "revenue")
    ]
    assert same(found, account.revenue, "id")
    assert query(settings.warehouse, "SELECT DISTINCT source FROM revenue") == [("events",)]


@pytest.mark.usefixtures("pulled")
def test_an_answer_that_is_no_events_neither_fails_nor_holds_up_a_pull(
    account: Account, server: Server, settings: Settings
) -> None:
    """Whatever answers at GET /revenue, where events are not documented, is asked once and then left alone."""
    for answer in ("shape", "html", "500", "other rows"):
        server.faults.active.clear()
        if answer == "other rows":
            account.options = Options(revenue_events=True)
            account.revenue = [{"date": "2026-01-01", "amount": 5}]
        else:
            server.faults.active.append(parse_fault(f"{answer},path=/revenue"))
        account.contacts()[3]["revenue_total"] += 1
        before = len(account.log)
        made = pull(settings, BOTH, answer)
        assert [item.path for item in account.log[before:]].count("/revenue") == 1
        assert made[-1].manifest.source == "contacts"
        assert_equal(account, settings)


@pytest.mark.usefixtures("pulled")
def test_an_account_that_begins_to_serve_events_is_no_shrinking_one(
    account: Account, settings: Settings
) -> None:
    """Events take the place of what was derived from contacts, and the guard does not count that as gone."""
    account.options = Options(revenue_events=True)
    pull(settings, BOTH, "r2")
    assert query(settings.warehouse, "SELECT DISTINCT source FROM revenue") == [("events",)]
    account.revenue.clear()
    with pytest.raises(DataError, match="are not in the account any more"):
        pull(settings, BOTH, "r3")


def test_pulling_revenue_alone_brings_the_contacts_that_it_is_made_of(settings: Settings) -> None:
    """Where revenue comes from totals, `pull revenue` pulls contacts too, so that their sums agree."""
    assert [s.manifest.dataset for s in pull(settings, ["revenue"], "r1")] == ["contacts", "revenue"]
