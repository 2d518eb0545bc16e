"""The marts, against figures added up in plain Python from the account's own state."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beginnings import seeded
from oracle import every_mart, expected, mart, query

from pipelines.pull.run import pull
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.run import push
from pipelines.sandbox import Account, running, seed_account, write_history
from pipelines.settings import Settings
from pipelines.warehouse import marts
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing
from schemas.derived.tables import TYPES, describe
from schemas.marts.registry import MARTS
from schemas.registry import PULLED, PUSHED

Row = dict[str, Any]
CENT = Decimal("0.0001")


def in_order(rows: list[Row]) -> list[Row]:
    """Rows of a view, which has no order of its own."""
    return sorted(rows, key=repr)


def test_every_mart_is_documented_to_the_last_column(moved: tuple[Account, Settings]) -> None:
    """DuckDB gives back the declared columns, types and meanings, and nothing in the warehouse is uncommented."""
    _, settings = moved
    found = query(
        settings.warehouse,
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE schema_name = 'marts' "
        "ORDER BY table_name, column_index",
    )
    declared = [
        (
            name,
            field.name,
            TYPES[field.kind].replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
            describe(field),
        )
        for name, of in sorted(MARTS.items())
        for field in of.fields
    ]
    assert found == declared
    for what in ("duckdb_tables()", "duckdb_views()", "duckdb_columns()"):
        bare = query(settings.warehouse, f"FROM {what} WHERE NOT internal AND coalesce(comment, '') = ''")
        assert bare == [], what


def test_list_health_is_what_the_account_holds(moved: tuple[Account, Settings]) -> None:
    """Counts, sums and shares of each list, empty ones included."""
    account, settings = moved
    contacts = [expected(row) for row in account.contacts()]
    rows = {row["list_id"]: row for row in mart(settings, "list_health")}
    assert rows.keys() == {row["id"] for row in account.lists}
    for number, row in rows.items():
        ours = [contact for contact in contacts if contact["list_id"] == number]
        active = [contact for contact in ours if contact["active"]]
        sends = sum(contact["send_count"] for contact in ours)
        clicks = sum(contact["click_count"] for contact in ours)
        assert (row["contacts"], row["active"]) == (len(ours), len(active))
        assert row["reachable"] == sum(contact["is_valid"] is not False for contact in active)
        assert row["never_sent"] == sum(contact["send_count"] == 0 for contact in active)
        assert (row["sends"], row["clicks"]) == (sends, clicks)
        assert row["revenue"] == sum((contact["revenue_total"] for contact in ours), Decimal(0))
        assert row["conversions"] == sum(contact["conversion_count"] for contact in ours)
        assert row["click_rate"] == (pytest.approx(clicks / sends) if sends else None)
        assert row["active_share"] == (pytest.approx(len(active) / len(ours)) if ours else None)
        for column, of, days in (
            ("clicked_30d", "last_clicked_at", 30),
            ("signups_30d", "signup_date", 30),
            ("signups_7d", "signup_date", 7),
        ):
            since = row["as_of"] - dt.timedelta(days=days)
            assert row[column] == sum(contact[of] is not None and contact[of] > since for contact in ours)


def test_list_growth_ends_at_what_is_on_the_list(moved: tuple[Account, Settings]) -> None:
    """Sign-ups less removals up to the last day are the contacts that are there, whatever zone the reader is in."""
    account, settings = moved
    rows = in_order(mart(settings, "list_growth", "Pacific/Auckland"))
    assert rows == in_order(mart(settings, "list_growth"))
    last = {row["list_id"]: row["contacts"] for row in sorted(rows, key=lambda row: row["day"])}
    assert last == Counter(row["list_id"] for row in account.contacts())
    assert sum(row["removed"] for row in rows) == 1
    assert sum(row["signups"] for row in rows) == len(account.contacts()) + 1
    assert all(row["contacts"] >= 0 for row in rows)


def test_offer_performance_is_what_was_imported(moved: tuple[Account, Settings]) -> None:
    """Clicks, conversions and money by offer, from the records that the account itself keeps as imported."""
    account, settings = moved
    clicks = Counter(row["offer_id"] for row in account.clicks.values())
    imported = [row for row in account.revenue if "record_id" not in row and row.get("payout")]
    assert len(imported) == 10
    rows = {row["offer_id"]: row for row in mart(settings, "offer_performance")}
    assert rows.keys() == {row["id"] for row in account.offers}
    for offer, row in rows.items():
        earned = [item for item in imported if item["offer_id"] == offer]
        revenue = sum((Decimal(str(item["revenue"])) for item in earned), Decimal(0))
        payout = sum((Decimal(str(item["payout"])) for item in earned), Decimal(0))
        tied = {item["message_id"] for item in earned}
        tied |= {item["message_id"] for item in account.clicks.values() if item["offer_id"] == offer}
        assert (row["clicks"], row["conversions"], row["revenue"]) == (clicks[offer], len(earned), revenue)
        assert row["engaged_sends"] == len(tied)
        assert (row["payout"], row["margin"]) == ((payout, revenue - payout) if earned else (None, None))
        epc = (revenue / clicks[offer]).quantize(CENT) if clicks[offer] else None
        assert row["epc"] == (epc if epc is None else pytest.approx(epc, abs=CENT))
        assert row["event_revenue"] is row["event_conversions"] is None


def test_imported_days_are_those_of_the_other_platform(moved: tuple[Account, Settings]) -> None:
    """Sends, clicks and revenue by the day that they happened, the list and the offer."""
    account, settings = moved
    wanted: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, None])
    sends = account.sends

    def cell(row: Row, message: str, offer: str | None) -> list[Any]:
        day = expected({"timestamp": row["timestamp"]})["timestamp"].date()
        return wanted[day, sends[message]["list_id"], offer]

    for name, row in sends.items():
        cell(row, name, None)[0] += 1
    for row in account.clicks.values():
        cell(row, row["message_id"], row["offer_id"])[1] += 1
    for row in account.revenue:
        if row["message_id"] in sends:
            at = cell(row, row["message_id"], row["offer_id"])
            at[2] += 1
            at[3] = (at[3] or Decimal(0)) + Decimal(str(row["revenue"]))
    found = {
        (row["day"], row["list_id"], row["offer_id"]): [
            row[n] for n in ("sends", "clicks", "conversions", "revenue")
        ]
        for row in mart(settings, "imported_daily", "America/Los_Angeles")
    }
    assert found == wanted


def test_daily_revenue_adds_up_to_the_contacts_totals(moved: tuple[Account, Settings]) -> None:
    """Opening balances have no day, changes have the day they were seen; together they are the totals."""
    account, settings = moved
    rows = mart(settings, "revenue_daily")
    total = sum((expected(row)["revenue_total"] for row in account.contacts()), Decimal(0))
    assert sum((row["revenue"] for row in rows), Decimal(0)) == total
    assert sum(row["conversions"] for row in rows) == sum(
        row["conversion_count"] for row in account.contacts()
    )
    assert {(row["basis"], row["day"] is None) for row in rows} == {("opening", True), ("change", False)}
    assert {row["offer_id"] for row in rows} == {None}


def test_cohorts_hold_every_contact_once(moved: tuple[Account, Settings]) -> None:
    """Each contact counts in the month that it joined in."""
    account, settings = moved
    months: defaultdict[dt.date, list[Row]] = defaultdict(list)
    for row in account.contacts():
        months[expected(row)["signup_date"].date().replace(day=1)].append(row)
    rows = {row["month"]: row for row in mart(settings, "engagement_cohorts", "Asia/Tokyo")}
    assert rows.keys() == months.keys()
    for month, contacts in months.items():
        row = rows[month]
        assert row["contacts"] == len(contacts)
        assert row["active"] == sum(contact["active"] for contact in contacts)
        assert row["sent"] == sum(contact["send_count"] > 0 for contact in contacts)
        assert row["clicked"] == sum(contact["click_count"] > 0 for contact in contacts)
        assert row["converted"] == sum(contact["conversion_count"] > 0 for contact in contacts)
        assert row["clicked_share"] <= 1


def test_import_outcomes_count_every_row_once(moved: tuple[Account, Settings]) -> None:
    """The counts by outcome are those of imports.records, and rows never sent have no day."""
    _, settings = moved
    rows = mart(settings, "import_outcomes")
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row["dataset"], row["outcome"]] += row["rows"]
        assert (row["day"] is None) == (row["outcome"] in ("quarantined", "parked", "duplicate"))
    assert counts["sends", "accepted"] == 200
    assert (counts["sends", "quarantined"], counts["sends", "duplicate"]) == (3, 1)
    assert sum(counts.values()) == 204 + 43 + 13


def test_freshness_has_every_dataset(moved: tuple[Account, Settings]) -> None:
    """Rows, what was left out, and when it last went well."""
    account, settings = moved
    rows = {(row["direction"], row["dataset"]): row for row in mart(settings, "freshness")}
    assert rows.keys() == {("pull", name) for name in PULLED} | {("push", name) for name in PUSHED}
    assert rows["pull", "contacts"]["rows"] == len(account.contacts())
    assert (rows["push", "sends"]["rows"], rows["push", "sends"]["left_out"]) == (200, 3)
    for row in rows.values():
        assert 0 <= row["age_hours"] < 1
        assert row["last_run_status"] == "succeeded"
        assert row["last_success_at"] >= row["last_run_at"]


def test_events_have_their_own_figures(settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    """Where the account serves revenue events, they are counted by offer and day, apart from what was imported.

    Every mart can be queried after any first pull, here of these two; what is not known is null or not there.
    """
    account = seed_account(contacts=500)
    account.options.revenue_events = True
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        pull(settings, ["offers", "revenue"], "run")
    events = [expected(row) for row in account.revenue]
    by_offer: defaultdict[str, Decimal] = defaultdict(Decimal)
    by_day: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in events:
        by_offer[row["offer_id"]] += row["revenue"]
        by_day[row["timestamp"].date(), row["list_id"], row["offer_id"]] += row["revenue"]
    marts_of = every_mart(settings, MARTS)
    for row in marts_of["offer_performance"]:
        assert row["event_revenue"] == by_offer.get(row["offer_id"], Decimal(0))
        assert row["clicks"] is row["revenue"] is row["epc"] is row["engaged_sends"] is None
    days = {(r["day"], r["list_id"], r["offer_id"]): r["revenue"] for r in marts_of["revenue_daily"]}
    assert days == by_day


@pytest.fixture
def account() -> Account:
    """A page of contacts, where a test does not look at figures."""
    return seeded(200)


def test_a_mart_stands_where_only_a_push_was_made(settings: Settings, account: Account) -> None:
    """A push before the first pull leaves marts that say what was imported.

    Files may leave the history folder after they went in: the marts still know day, offer and amount.
    """
    write_history(account, settings.history, sends=100)
    push(settings, list(PUSHED))
    rows = every_mart(settings, MARTS)
    assert sum(row["clicks"] for row in rows["offer_performance"]) == len(account.clicks)
    assert rows["list_health"] == []
    before = rows["imported_daily"]
    for path in settings.history.iterdir():
        path.unlink()
    one = {
        "id": "later",
        "to_number": account.contacts()[0]["phone_number"],
        "timestamp": "2024-01-01",
        "list_id": 1,
    }
    (settings.history / "sends.csv").write_text(
        ",".join(one) + "\n" + ",".join(map(str, one.values())) + "\n"
    )
    push(settings, ["sends"])
    publish_imports(settings)
    after = [row for row in mart(settings, "imported_daily") if row["day"] != dt.date(2024, 1, 1)]
    assert sorted(after, key=str) == sorted(before, key=str)


def test_a_warehouse_from_before_the_marts_gets_them(settings: Settings) -> None:
    """Tables that lack later columns are completed, with comments, and the marts made over them.

    After the first pull, of contacts, every mart can be queried, as after one of anything else.
    """
    pull(settings, ["contacts"], "run-1")
    offers = every_mart(settings, MARTS)["offer_performance"]
    assert all(row["offer_name"] is None for row in offers)
    with replacing(settings.warehouse) as connection:
        connection.execute("DROP SCHEMA marts CASCADE; DROP TABLE imports.chunks")
        for column in ("happened_at", "offer_id", "list_id", "list_number", "revenue", "payout"):
            connection.execute(f"ALTER TABLE imports.records DROP COLUMN {column}")
        connection.execute(
            "INSERT INTO imports.records (dataset, outcome, attempt, in_input) VALUES ('clicks','accepted',1,true)"
        )
    pull(settings, ["offers"], "run-2")
    assert [row["offer_id"] for row in mart(settings, "imported_activity")] == [None]
    assert {row["clicks"] for row in mart(settings, "offer_performance")} == {None}
    bare = query(settings.warehouse, "FROM duckdb_columns() WHERE NOT internal AND comment IS NULL")
    assert bare == []


def test_a_number_stands_for_one_list_everywhere(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    """The list that is not deleted; a deleted one where it is alone; of several that may be meant, none."""
    lists = {
        "+1": [(1, "deleted"), (2, "active")],
        "+2": [(3, "deleted")],
        "+3": [(4, "active"), (5, "paused")],
        "+4": [(6, "deleted"), (7, "deleted")],
        "+5": [(8, None), (9, "deleted"), (10, "deleted")],
    }
    meant = {"+1": 2, "+2": 3, "+3": None, "+4": None, "+5": 8, "+6": None}
    settings = settings_of("http://127.0.0.1:9/api/v2", tmp_path / "data")
    with replacing(settings.warehouse) as connection:
        complete(connection)
        create_views(connection)
        connection.executemany(
            "INSERT INTO lists BY NAME SELECT $1::BIGINT AS id, $2 AS phone_number, $3 AS status, now() AS synced_at,"
            " '' AS snapshot, 1 AS page",
            [(number, phone, status) for phone, of in lists.items() for number, status in of],
        )
        connection.execute(
            "INSERT INTO imports.records BY NAME SELECT unnest($1::VARCHAR[]) AS list_number,"
            " list_number AS message_id, 'sends' AS dataset, 'accepted' AS outcome, 1 AS attempt, true AS in_input",
            [[*meant]],
        )
        connection.execute(
            "INSERT INTO webhook_events BY NAME SELECT unnest($1::VARCHAR[]) AS list_number, 'delivery' AS event,"
            " list_number AS message_id, now() AS timestamp, now() AS received_at, true AS verified, 0 AS repeats,"
            " list_number AS digest, 0 AS position",
            [[*meant]],
        )
    for name in ("imported_activity", "messages"):
        rows = query(settings.warehouse, f"SELECT message_id, list_id FROM marts.{name}")
        assert dict(rows) == meant, name


def test_each_mart_is_exactly_what_is_declared() -> None:
    """There is one `.sql` file per declaration, and none without."""
    folder = Path(marts.__file__).parent
    assert {path.stem for path in folder.glob("*.sql")} == MARTS.keys()
