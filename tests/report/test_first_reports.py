"""The report where something is not there yet: no pull, no push, no rows, an older warehouse, gaps in time."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beginnings import seeded
from oracle import key_of, query
from report_pages import report

from pipelines.errors import StorageError
from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.report.figures import figures
from pipelines.runs.recording import recorded
from pipelines.sandbox import Account, running, seed_account, write_history
from pipelines.settings import Settings
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing
from schemas.registry import PULLED

READ = ["contacts", "revenue"]


@pytest.fixture
def account() -> Account:
    """A page of contacts."""
    return seeded(400)


def test_a_first_pull_with_hashed_phones(settings_of: Any, account: Account, tmp_path: Path) -> None:
    """With one pull, no push and hashed phones the page says what is not there yet, shows events, and no hash."""
    account.options.revenue_events = True
    paid, unpaid = account.revenue[:2]
    unpaid["offer_id"], paid["payout"], unpaid["payout"] = paid["offer_id"], 1.25, None
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", hash_phones="a secret of enough length")
        pull(settings, list(PULLED), "run")
    page = report(settings)
    ((errors,),) = query(
        settings.warehouse, "SELECT count(*) FROM marts.campaign_lint WHERE severity = 'error'"
    )
    assert errors
    assert f"<li>{errors} errors in creatives and schedules: trackly-sync lint</li>" in page.text
    assert "Nothing needs attention" not in page.text
    assert "<b>Pulled only.</b>" in page.text
    assert "<b>-</b> rows imported" in page.text
    assert "No history has been pushed yet." in page.text
    assert "Every row that was pulled is published." in page.text
    assert "left and took" not in page.text
    assert "hmac:" not in page.text
    assert "imports" not in page.rows
    ((name, revenue, margin, payout),) = query(
        settings.warehouse,
        "SELECT offer_name, event_revenue, event_margin, event_payout FROM marts.offer_performance"
        f" WHERE offer_id = '{paid['offer_id']}'",
    )
    (row,) = [row for row in page.rows["offers"] if row[0].startswith(name)]
    assert margin + payout == pytest.approx(Decimal(str(paid["revenue"])))
    assert revenue > margin + payout
    assert row[3:6] == [f"{revenue:,.2f}", f"{payout:,.2f}", f"{margin:,.2f}  of {margin + payout:,.2f}"]
    earned = sum(row["revenue"] for row in account.revenue)
    assert page.drawn("Revenue, by day", "earned") == pytest.approx(earned, abs=0.01)
    assert list(page.charts) == [
        "Revenue, by day",
        "Contacts on the largest lists",
        "Contacts that joined and went, by day",
    ]


def test_empty_old_and_missing_warehouses(settings_of: Any, tmp_path: Path) -> None:
    """No warehouse or empty tables give a page without charts; one without marts an error that says what to do."""
    settings = settings_of("http://127.0.0.1:9/api/v2", tmp_path / "data")
    first = report(settings)
    assert "<b>Nothing yet.</b>" in first.text
    assert "No history has been pushed" in first.text
    assert not settings.warehouse.exists()
    with replacing(settings.warehouse) as connection:
        connection.execute("DROP SCHEMA marts CASCADE; UPDATE sync.version SET views = NULL")
    with pytest.raises(StorageError, match=r"older version wrote it\. Run: trackly-sync pull"):
        report(settings)
    with replacing(settings.warehouse) as connection:
        create_views(connection)
    page = report(settings)
    assert page.charts == {}
    assert "<b>Nothing yet.</b>" in page.text
    assert "Nothing needs attention" not in page.text, "nothing was checked"
    assert page.text.count("<b>-</b>") == 4
    assert page.text.count("never") == len(PULLED)
    for nothing in (
        "No revenue yet",
        "No list has been pulled",
        "No offer has been pulled",
        "No contact has been pulled",
        "No campaign has been pulled",
        "No history has been pushed",
        "Nothing has run",
    ):
        assert nothing in page.text


def test_an_account_without_rows_is_not_one_that_was_not_pulled(settings_of: Any, tmp_path: Path) -> None:
    """Where there is none, the page says so, and does not ask for a pull."""
    account = seed_account(contacts=0)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        account.offers.clear()
        pull(settings, ["contacts", "lists", "offers"], "run")
    assert 'class="charts"' not in report(settings).text, "nor is there room for a drawing of its lists"
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("DELETE FROM lists")
    page = report(settings).text
    for nothing in ("The account has no list.", "The account has no offer.", "The account has no contact."):
        assert nothing in page
    assert "has been pulled" not in page.replace("No campaign has been pulled", "")
    assert "<b>0</b> contacts" in page


@pytest.fixture
def pulled_nothing(settings_of: Any, tmp_path: Path) -> Settings:
    """A warehouse whose tables are empty."""
    settings: Settings = settings_of("http://127.0.0.1:9/api/v2", tmp_path / "data")
    with replacing(settings.warehouse) as connection:
        complete(connection)
        create_views(connection)
    return settings


AXES = {
    "days": (["2024-01-31", "2024-04-02"], ["2024-01-31", "2024-04-02"]),
    "months": (["2024-01-31", "2024-04-03"], ["2024-01-01", "2024-04-01"]),
    "the last months": (["2019-01-31", "2024-04-02"], ["2021-05-01", "2024-04-01"]),
}
"""When something happened, and the first and last period that is shown."""


def test_an_axis_of_time_has_no_gaps(pulled_nothing: Settings) -> None:
    """Days and months in which nothing happened are there, up to 63 days and 36 months."""
    for case, (happened, shown) in AXES.items():
        with duckdb.connect(str(pulled_nothing.warehouse)) as connection:
            connection.execute("DELETE FROM imports.records; DELETE FROM contacts")
            connection.execute(
                "INSERT INTO imports.records BY NAME SELECT unnest($1::TIMESTAMPTZ[]) AS happened_at,"
                " 'revenue' AS dataset, 2 AS revenue, 'accepted' AS outcome, 1 AS attempt, true AS in_input",
                [[f"{day} 12:00:00Z" for day in happened]],
            )
            connection.execute(
                "INSERT INTO contacts BY NAME SELECT unnest($1::TIMESTAMPTZ[]) AS signup_date, '+1' AS"
                " phone_number, 1 AS list_id, true AS active, 0 AS send_count, 0 AS click_count,"
                " 0 AS conversion_count, 0 AS revenue_total, now() AS synced_at, '' AS snapshot, 1 AS page",
                [[f"{day} 12:00:00Z" for day in happened]],
            )
        first, last = (dt.date.fromisoformat(day) for day in shown)
        days = [first + dt.timedelta(days=place) for place in range((last - first).days + 1)]
        grain = "day" if len(days) <= 63 else "month"
        periods = [day for day in days if grain == "day" or day.day == 1]
        assert len(periods) in (63, 4, 36), case
        found = figures(pulled_nothing.warehouse)
        for name in ("growth", "progress", "revenue"):
            of = sorted(row["period"] for row in found[name] if row["grain"] == grain)
            assert of == periods, (case, name)
        imported = sum(int(row["rows"] or 0) for row in found["progress"])
        assert imported == (1 if happened[0] < "2020" else 2), case


def test_what_is_on_record_of_pushes_and_of_years_of_pulls(pulled_nothing: Settings) -> None:
    """Where clicks were pushed and there were none, the page does not call that both never and succeeded.

    However many pulls are on record, a page stays small: hourly ones of years make a chart of sixty points, whose
    last point is the last pull.
    """
    settings = pulled_nothing
    with replacing(settings.warehouse) as connection:
        connection.execute(
            "INSERT INTO imports.records BY NAME SELECT 'sends' AS dataset, 'accepted' AS outcome, 1 AS attempt,"
            " true AS in_input, now() AS at"
        )
        connection.execute(
            "INSERT INTO sync.runs BY NAME SELECT 'run-' || i AS run, 'pull contacts' AS activity,"
            " TIMESTAMPTZ '2024-01-01' + to_hours(i::INT) AS started_at, started_at AS finished_at,"
            " 'succeeded' AS status, i AS rows FROM range(20_000) AS t (i)"
        )
    for name in ("sends", "clicks"):
        with recorded(settings.data_dir, "run", f"push {name}"):
            pass
    page = report(settings)
    imports = {row[0]: row for row in page.rows["imports"]}
    assert (imports["clicks"][1], imports["clicks"][5]) == ("no rows yet", "succeeded")
    assert (imports["revenue"][1], imports["revenue"][5]) == ("never", "-")
    output = [text for text in page.charts["Rows of contacts"] if " 20" in text]
    assert 50 <= len(output) <= 60
    last = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=19_999)
    assert output[-1] == f"{last:%d %b %Y %H:%M}: 19,999"


def test_pushed_only(settings_of: Any, account: Account, tmp_path: Path) -> None:
    """Without a pull the account's own figures are not known, which is not nought; what was pushed stands there.

    What the first pull finds is in part what was imported before it.
    """
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        write_history(account, settings.history, sends=100)
        push(settings, ["sends", "revenue"])
        page = report(settings)
        ((imported,),) = query(
            settings.warehouse, "SELECT sum(revenue) FROM imports.records WHERE outcome = 'accepted'"
        )
        pull(settings, ["contacts", "revenue"], "run")
        ((all_of_it,),) = query(settings.warehouse, "SELECT sum(revenue) FROM revenue")
    assert (
        f"{all_of_it:,.2f} was in the account at the first pull: {imported:,.2f} imported before it, which is below"
        f" by the day it was earned, and {all_of_it - imported:,.2f} of which the API does not say when"
    ) in report(settings).text
    assert "<b>Pushed only.</b>" in page.text
    assert page.text.count("<b>-</b>") == 3
    assert "contacts<small>not pulled yet" in page.text
    ((offer,), *_) = query(
        settings.warehouse, "SELECT DISTINCT offer_id FROM imports.records WHERE offer_id NOT NULL"
    )
    assert f"no name yet <code>{offer}</code>" in page.text
    assert "which TRACKLY_CURRENCY" not in page.text
    assert "rows imported" in page.text


def test_revenue_that_left_with_contacts_is_explained(
    settings_of: Any, account: Account, tmp_path: Path
) -> None:
    """A contact with revenue that is gone makes the account's revenue fall; the page says so, with the amount.

    One comes back with more and is paid back later, which is no leaving; another one goes for good.
    """
    rich, away = sorted(account.contacts(), key=lambda row: -row["revenue_total"])[:2]
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", currency="eur")
        pull(settings, READ, "run-1")
        account.remove_contact(key_of(rich))
        pull(settings, READ, "run-2")
        gone = report(settings)
        account.add_contact(rich | {"revenue_total": rich["revenue_total"] + 2.5})
        account.remove_contact(key_of(away))
        pull(settings, READ, "run-3")
        account.add_contact(rich | {"revenue_total": 0.0})
        pull(settings, READ, "run-4")
        back = report(settings)
    one, two = rich["revenue_total"], rich["revenue_total"] + away["revenue_total"]
    assert f"1 contact left and took {one:,.2f} EUR out of the account" in gone.text
    assert "came back" not in gone.text
    assert f"2 contacts left and took {two:,.2f} EUR out of the account" in back.text
    assert f"1 of them came back and brought {one:,.2f} EUR with it" in back.text
    changes = "Revenue, by when a pull saw contacts' totals change, by day"
    for page, earned, left in ((gone, 0, one), (back, -one, two)):
        assert page.drawn(changes, "earned") == pytest.approx(earned, abs=0.01)
        assert -page.drawn(changes, "gone with contacts that left") == pytest.approx(left, abs=0.01)
    assert back.drawn(changes, "back with contacts that returned") == pytest.approx(one, abs=0.01)
