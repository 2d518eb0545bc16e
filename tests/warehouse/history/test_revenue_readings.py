"""revenue_restated: what a month was when it was read, and how far it has moved, added up by hand."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from made_snapshots import publish_rows
from oracle import expected, query

from pipelines.pull.rollback import rollback
from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, running, seed_account
from pipelines.settings import Settings, load_settings

BOTH = ("contacts", "revenue")
MAY, JUNE = dt.date(2026, 5, 1), dt.date(2026, 6, 1)


def restated(settings: Settings, month: dt.date) -> list[tuple[Any, ...]]:
    """The readings of a month, oldest first."""
    return query(
        settings.warehouse,
        "SELECT revenue, change, moved, closed_revenue, moved_after_end, latest FROM marts.revenue_restated "
        "WHERE month = ? ORDER BY read_at",
        month,
    )


def events(**amounts: float) -> list[dict[str, Any]]:
    """Events named by their day, such as may12, with an amount each."""
    months = {"may": 5, "jun": 6}
    return [
        {
            "id": name,
            "source": "events",
            "revenue": Decimal(str(amount)),
            "timestamp": dt.datetime(2026, months[name[:3]], int(name[3:5]), 12, tzinfo=dt.UTC),
        }
        for name, amount in amounts.items()
    ]


def test_a_month_moves_before_and_after_its_end(tmp_path: Path) -> None:
    """A reading where it changed and one after its end; what came in after that is apart."""
    settings = load_settings(api_key=API_KEY, data_dir=tmp_path)
    for day, rows in (
        (dt.datetime(2026, 5, 20, tzinfo=dt.UTC), events(may10=10, may12=5)),
        (dt.datetime(2026, 5, 21, tzinfo=dt.UTC), events(may10=10, may12=5)),
        (dt.datetime(2026, 6, 1, tzinfo=dt.UTC), events(may10=10, may12=5)),
        (dt.datetime(2026, 6, 9, tzinfo=dt.UTC), events(may10=10, may12=4, jun08=3)),
        (dt.datetime(2026, 6, 9, 12, tzinfo=dt.UTC), events(jun08=3)),
    ):
        publish_rows(settings, "revenue", rows, day)
    assert restated(settings, MAY) == [
        (15, None, 0, None, None, False),
        (15, 0, 0, 15, 0, False),
        (14, -1, -1, 15, -1, False),
        (0, -14, -15, 15, -15, True),
    ]
    assert restated(settings, JUNE) == [(3, None, 0, None, None, True)]


def test_readings_are_what_the_account_served(settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    """The latest reading of each month is the sum of its events; a rollback takes later readings back.

    Totals, then events, then totals: another source does not set the months before to zero. What was read on a basis
    stays, and only what is published is the latest.
    """
    account = seed_account(contacts=100)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        pull(settings, BOTH, "r1")
        earned = sum(row["revenue_total"] for row in account.contacts())
        account.contacts()[0]["revenue_total"] += 12.5
        pull(settings, BOTH, "r2")
        assert by_basis(settings) == {"change": (Decimal("12.5"), True)}

        account.options.revenue_events = True
        pull(settings, BOTH, "r3")
        event = Decimal(str(earned)).quantize(Decimal("0.0001"))
        assert by_basis(settings) == {"change": (Decimal("12.5"), False), "event": (event, True)}
        sums = [months(account.revenue)]
        changed = account.revenue[3]
        changed["revenue"] = changed["revenue"] + 7.25
        account.revenue.append({**changed, "id": "late", "record_id": "late"})
        pull(settings, BOTH, "r4")
        sums.append(months(account.revenue))
        assert latest(settings) == sums[1]
        month = expected(changed)["timestamp"].date().replace(day=1)
        assert restated(settings, month)[-1][1] == sums[1][month] - sums[0][month]
        earlier = "SELECT count(*) FROM marts.revenue_restated WHERE NOT latest AND basis = 'event'"
        assert query(settings.warehouse, earlier) == [(1,)]
        rollback(settings, "revenue", "back")
        assert latest(settings) == sums[0]
        assert query(settings.warehouse, earlier) == [(0,)]

        account.options.revenue_events = False
        pull(settings, BOTH, "r5")
    assert by_basis(settings) == {"change": (Decimal("12.5"), True), "event": (event, False)}
    basis = "SELECT DISTINCT basis FROM marts.revenue_restated WHERE latest"
    of_now = "SELECT DISTINCT basis FROM marts.revenue_daily WHERE day IS NOT NULL"
    assert query(settings.warehouse, basis) == query(settings.warehouse, of_now)


def by_basis(settings: Settings) -> dict[str, tuple[Decimal, bool]]:
    """What was read on each basis, and whether it is the latest."""
    of_each = "SELECT basis, sum(revenue), bool_and(latest) FROM marts.revenue_restated GROUP BY basis"
    return {basis: (revenue, latest) for basis, revenue, latest in query(settings.warehouse, of_each)}


def latest(settings: Settings) -> dict[dt.date, Decimal]:
    """The latest reading of each month."""
    return dict(query(settings.warehouse, "SELECT month, revenue FROM marts.revenue_restated WHERE latest"))


def months(rows: list[dict[str, Any]]) -> dict[dt.date, Decimal]:
    """Revenue by month."""
    sums: dict[dt.date, Decimal] = {}
    for row in map(expected, rows):
        month = row["timestamp"].date().replace(day=1)
        sums[month] = sums.get(month, Decimal(0)) + row["revenue"]
    return sums
