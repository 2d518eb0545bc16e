"""Pulling from an account over HTTP; the account's own state is the oracle."""

import gc
import json
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from oracle import assert_equal, key_of, query, restore_key, same, shown

from pipelines.errors import AccessError, DataError, NotFoundError, ServiceError
from pipelines.pull.run import publish_latest, pull, snapshot_dataset
from pipelines.pull.snapshot import ReadOptions
from pipelines.sandbox import Account, Options, Server, parse_fault, running, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot

ALL = ("contacts", "lists", "offers", "revenue")


def pulled(settings: Settings, batch_rows: int) -> list[Snapshot]:
    """All datasets, one after the other as Dagster asks for them, in batches of so many rows."""
    options = ReadOptions(batch_rows=batch_rows)
    made = [snapshot_dataset(settings, name, "r1", options=options) for name in ALL]
    publish_latest(settings, "r1")
    return made


@pytest.mark.parametrize("batch", [300, 50_000])
def test_a_quiet_account_arrives_equal(account: Account, settings: Settings, batch: int) -> None:
    """All four datasets arrive field by field, in many batches or one, deleted lists and archived offers included."""
    made = pulled(settings, batch)
    assert_equal(account, settings)
    assert {s.manifest.dataset: s.manifest.consistency for s in made} == dict.fromkeys(ALL, "exact")
    assert {row["status"] for row in account.lists} >= {"deleted", "paused", "active"}
    assert {row["status"] for row in account.offers} == {"active", "paused", "archived"}


def test_a_second_pull_follows_the_account(account: Account, settings: Settings) -> None:
    """Changes of every kind between two pulls are in the tables after the second."""
    pull(settings, ALL, "r1")
    rows = account.contacts()
    for row in rows[:5]:
        account.remove_contact((row["phone_number"], row["list_id"]))
    rows[7]["custom_fields"] = {"changed": "ja"}
    rows[8]["revenue_total"] += 10.25
    rows[9]["active"] = not rows[9]["active"]
    account.add_contact({**rows[10], "phone_number": "+15551112222"})
    account.offers[0]["status"] = "archived"
    pull(settings, ALL, "r2")
    assert_equal(account, settings)


def test_revenue_from_totals_sums_to_the_contacts(account: Account, settings: Settings) -> None:
    """Without GET /revenue each change of a contact's totals is a row, and the sums agree at any moment."""
    pull(settings, ALL, "r1")
    opening = query(settings.warehouse, "SELECT count(*) FROM revenue WHERE since IS NULL")[0][0]
    assert opening == sum(1 for row in account.contacts() if row["revenue_total"] or row["conversion_count"])
    rows = account.contacts()
    rows[3]["revenue_total"] += 1.1
    rows[3]["conversion_count"] += 1
    rich = next(row for row in rows if row["revenue_total"] > 2)
    account.remove_contact((rich["phone_number"], rich["list_id"]))
    pull(settings, ALL, "r2")
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
    account = seed_account(contacts=2_500)
    account.options = Options(revenue_events=True)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        pull(settings, ALL, "r1")
    found = [
        {name: value for name, value in row.items() if name != "source"}
        for row in shown(settings.warehouse, "revenue")
    ]
    assert same(found, account.revenue, "id")
    assert query(settings.warehouse, "SELECT DISTINCT source FROM revenue") == [("events",)]


@pytest.mark.parametrize("answer", ["shape", "other rows", "html", "500"])
def test_an_answer_that_is_no_events_neither_fails_nor_holds_up_a_pull(
    account: Account, server: Server, settings: Settings, answer: str
) -> None:
    """Whatever answers at GET /revenue, where events are not documented, is asked once and then left alone."""
    pull(settings, ALL, "r1")
    if answer == "other rows":
        account.options = Options(revenue_events=True)
        account.revenue = [{"date": "2026-01-01", "amount": 5}]
    else:
        server.faults.active.append(parse_fault(f"{answer},path=/revenue"))
    before = len(account.log)
    made = pull(settings, ALL, "r2")
    assert [item.path for item in account.log[before:]].count("/revenue") == 1
    assert made[-1].manifest.source == "contacts"
    assert_equal(account, settings)


def test_an_account_that_begins_to_serve_events_is_no_shrinking_one(
    account: Account, settings: Settings
) -> None:
    """Events take the place of what was derived from contacts, and the guard does not count that as gone."""
    pull(settings, ALL, "r1")
    account.options = Options(revenue_events=True)
    pull(settings, ALL, "r2")
    assert query(settings.warehouse, "SELECT DISTINCT source FROM revenue") == [("events",)]
    account.revenue.clear()
    with pytest.raises(DataError, match="are not in the account any more"):
        pull(settings, ALL, "r3")


def test_pulling_revenue_alone_brings_the_contacts_that_it_is_made_of(settings: Settings) -> None:
    """Where revenue comes from totals, `pull revenue` pulls contacts too, so that their sums agree."""
    assert [s.manifest.dataset for s in pull(settings, ["revenue"], "r1")] == ["contacts", "revenue"]


def test_rows_name_the_reply_that_they_came_from(settings: Settings) -> None:
    """Every row's snapshot and page lead to a request, its time and the total that it claimed."""
    pull(settings, ["contacts"], "r1")
    rows = query(
        settings.warehouse,
        "SELECT count(*), count(DISTINCT pages.page) >= 3, min(total), min(synced_at = received_at), "
        "bool_and(request LIKE 'GET /contacts?page=%') "
        "FROM contacts JOIN sync.pages AS pages USING (snapshot, page) WHERE dataset = 'contacts'",
    )
    assert rows == [(2500, True, 2500, True, True)]


def test_unknown_fields_go_to_extra(account: Account, settings: Settings) -> None:
    """A field that the contract does not know is kept as JSON and named in the snapshot."""
    account.contacts()[0]["loyalty"] = {"points": 7}
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert snapshot.manifest.unknown_fields == "loyalty"
    ((extra,),) = query(settings.warehouse, "SELECT extra FROM contacts WHERE extra IS NOT NULL")
    assert json.loads(extra) == {"loyalty": {"points": 7}}


def test_what_changed_in_the_fields_is_reported(account: Account, settings: Settings) -> None:
    """A field that appears, and one that no row carries any more, are named against the snapshot before."""
    pull(settings, ["contacts"], "r1")
    for row in account.contacts():
        del row["carrier"]
        row["loyalty"] = 1
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.schema_changes == (
        "new field loyalty, kept in extra; field carrier is not sent any more and null"
    )
    assert query(settings.warehouse, "SELECT count(carrier), count(extra) FROM contacts") == [(0, 2500)]
    assert pull(settings, ["contacts"], "r3")[0].manifest.schema_changes == ""


def test_bad_rows_are_quarantined_once_each(account: Account, settings: Settings) -> None:
    """Published and quarantined rows add up to what was pulled, each bad row with its raw JSON and reason."""
    rows = account.contacts()
    for row in rows[980:1020]:  # across the seam of two pages, where rows are read twice
        row["send_count"] = "many"
    rows[1500]["click_count"] = -1
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (2459, 41)
    assert snapshot.manifest.consistency == "exact"
    found = query(settings.warehouse, "SELECT reason, raw FROM quarantine.contacts")
    assert sorted({reason for reason, _ in found}) == [
        "click_count: must be at least 0",
        "send_count: expected int, got str",
    ]
    raws = [json.loads(raw) for _, raw in found]
    bad = [*rows[980:1020], rows[1500]]
    assert sorted(map(str, raws)) == sorted(map(str, bad))


def test_the_same_key_twice_in_one_reply_is_quarantined(
    account: Account, settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """Of two rows with one key in one reply one is published and the other set aside: neither vanishes."""
    account.offers.append({**account.offers[0], "name": "the same id again"})
    lenient = settings_of(settings.base_url, settings.data_dir, pull_bad_share=0.1)
    (snapshot,) = pull(lenient, ["offers"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (12, 1)
    assert query(settings.warehouse, "SELECT reason FROM quarantine.offers") == [
        ("the key stands on another row of the same reply too",)
    ]


def test_too_many_bad_rows_publish_nothing(account: Account, settings: Settings) -> None:
    """Beyond the limit the pull fails, names the reasons, and the tables stay as they were."""
    pull(settings, ["contacts"], "r1")
    before = settings.warehouse.read_bytes()
    for row in account.contacts()[:200]:
        row["send_count"] = None
    with pytest.raises(
        DataError, match=re.escape("200 of 2,500 rows (8.0%) are bad, the limit is 5.0%")
    ) as failed:
        pull(settings, ["contacts"], "r2")
    assert "send_count: expected int, got null (200)" in failed.value.message
    assert settings.warehouse.read_bytes() == before


def test_the_guard_stops_a_shrinking_account(account: Account, settings: Settings) -> None:
    """When most rows are gone nothing is published, until the operator says that it is so."""
    pull(settings, ["contacts"], "r1")
    for row in account.contacts()[100:]:
        account.remove_contact((row["phone_number"], row["list_id"]))
    with pytest.raises(DataError, match=r"2,400 of 2,500 published rows .* are not in the account any more"):
        pull(settings, ["contacts"], "r2")
    assert query(settings.warehouse, "SELECT count(*) FROM contacts") == [(2500,)]
    pull(settings, ["contacts"], "r3", allow_shrink=True)
    assert query(settings.warehouse, "SELECT count(*) FROM contacts") == [(100,)]


def test_an_empty_account_is_no_error(tmp_path: Any, settings_of: Callable[..., Settings]) -> None:
    """An account without anything gives empty tables."""
    with running(Account()) as server:
        made = pull(settings_of(server.url, tmp_path / "data"), ALL, "r1")
    assert [s.manifest.rows for s in made] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "fault",
    [
        "503,times=3",
        "502,times=2",
        "429,times=2,seconds=1",
        "429,times=2",
        "reset-before,times=3,skip=1",
        "reset-after,times=3,skip=1",
        "truncate,times=2,skip=2",
        "html,times=2,path=contacts",
        "shape,times=2,path=contacts",
        "repeat,times=2,skip=1,path=contacts",
        "no-pages",
    ],
)
def test_passing_faults_are_survived(
    account: Account, server: Server, settings: Settings, fault: str
) -> None:
    """After any fault that passes the warehouse equals the account."""
    server.faults.active.append(parse_fault(fault))
    made = pull(settings, ALL, "r1")
    assert_equal(account, settings)
    assert {s.manifest.consistency for s in made} == {"exact"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503", ServiceError),
        ("html,path=contacts", ServiceError),
        ("repeat,path=contacts,skip=1", ServiceError),
        ("revoke,skip=3", AccessError),
    ],
)
def test_lasting_faults_leave_the_tables_as_they_were(
    server: Server,
    settings: Settings,
    fault: str,
    error: type[Exception],
    settings_of: Callable[..., Settings],
) -> None:
    """A fault that stays is a clear error, and what was published before is untouched."""
    pull(settings, ALL, "r1")
    before = settings.warehouse.read_bytes()
    server.faults.active.append(parse_fault(fault))
    hasty = settings_of(settings.base_url, settings.data_dir, retry_seconds=0.5)
    with pytest.raises(error):
        pull(hasty, ALL, "r2")
    assert settings.warehouse.read_bytes() == before
    assert not list(settings.parquet_dir.glob("*/.2*")), "no half snapshot stays"


@pytest.mark.parametrize("claimed", [0, 100])
def test_a_total_that_is_too_low_neither_adds_nor_loses_rows(
    account: Account, server: Server, settings: Settings, claimed: int
) -> None:
    """However few rows the API claims, what it serves twice the same is published, and the evidence says so."""
    pull(settings, ["contacts"], "r1")
    account.remove_contact(key_of(account.contacts()[5]))
    server.faults.active.append(parse_fault(f"total,value={claimed},path=contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert snapshot.manifest.consistency == "repaired"
    assert f"{claimed:,} rows are claimed, 2,499 are served, twice the same" in snapshot.manifest.evidence


@pytest.mark.parametrize("fault", ["total,value=5000", "more,value=2500"])
def test_rows_that_are_claimed_and_never_served_are_told_by_their_number(
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
    server.faults.active.append(parse_fault("cut,value=2400,path=/contacts"))
    hidden = [key_of(row) for row in account.contacts()[2_400:2_450]]

    def hide(_number: int, of: Account) -> None:
        asked = {request.query.get("active") for request in of.log[-1:]}
        for key in hidden:
            row = of.contact(key)
            assert row is not None
            row["active"] = asked == {"true"}

    account.before_request = hide
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert snapshot.manifest.consistency == "fuzzy"
    assert snapshot.manifest.rows + snapshot.manifest.unserved == 2_500


@pytest.mark.parametrize("more", ["", "no-total"])
@pytest.mark.parametrize("size", [40, 1000])
def test_pages_of_one_size_whatever_is_asked_for_are_read_whole(
    account: Account, server: Server, settings: Settings, size: int, more: str
) -> None:
    """Such pages never overlap: every row is there, and a second reading that is equal says so."""
    faults = [f"page-size,value={size},path=/contacts", *([f"{more},path=/contacts"] if more else [])]
    server.faults.active += [parse_fault(fault) for fault in faults]
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert snapshot.manifest.consistency == "exact"
    assert snapshot.manifest.requests < 3 * 2500 / size + 20
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
    assert snapshot.manifest.requests < 150


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


@pytest.mark.parametrize("served", [2_400, 1_000])
def test_rows_that_are_claimed_and_not_served_have_not_gone(
    account: Account, server: Server, settings: Settings, served: int
) -> None:
    """An account that serves the first rows of a query only, again and again, proves nothing about the others."""
    pull(settings, ["contacts"], "r1")
    server.faults.active.append(parse_fault(f"cut,value={served},path=/contacts"))
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.consistency == "fuzzy"
    assert f"2,500 rows are claimed, {served:,} are served" in snapshot.manifest.evidence
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    assert query(
        settings.warehouse, "SELECT count(*) FROM contacts_history WHERE removed_at IS NOT NULL"
    ) == [(0,)]


def test_a_cut_account_that_changes_loses_nothing_either(
    account: Account, server: Server, settings: Settings
) -> None:
    """That the account changes meanwhile does not explain a thousand rows that are claimed and not served."""
    pull(settings, ["contacts"], "r1")
    server.faults.active.append(parse_fault("cut,value=1400,path=/contacts"))
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


def test_assets_pull_one_by_one_and_publish_together(account: Account, settings: Settings) -> None:
    """Snapshots made one at a time show only when they are published, all in one go."""
    for name in ("lists", "offers", "contacts", "revenue"):
        snapshot_dataset(settings, name, "r1")
    assert not settings.warehouse.exists()
    publish_latest(settings, "r1")
    assert_equal(account, settings)


@pytest.mark.parametrize("fault", ["null-rows", "no-rows"])
@pytest.mark.parametrize("name", ["contacts", "lists", "offers"])
def test_null_or_nothing_for_no_rows_means_none(
    tmp_path: Any, settings_of: Callable[..., Settings], fault: str, name: str
) -> None:
    """An account without rows may say so by null, or leave the array out; so may an empty page at the end."""
    account = seed_account(contacts=0, lists=0, offers=0)
    with running(account) as server:
        server.faults.active.append(parse_fault(fault))
        settings = settings_of(server.url, tmp_path / "data")
        (snapshot,) = pull(settings, [name], "r1")
        assert (snapshot.manifest.rows, snapshot.manifest.consistency, snapshot.manifest.retries) == (
            0,
            "exact",
            0,
        )


def test_null_where_rows_are_claimed_is_an_error(
    server: Server, settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """Null for rows that the same reply claims is tried again, and then named; nothing is published."""
    server.faults.active += [parse_fault("cut,value=1200,path=/contacts"), parse_fault("null-rows")]
    hasty = settings_of(settings.base_url, settings.data_dir, retry_seconds=0.5)
    with pytest.raises(ServiceError, match="no array of rows came, and 2,500 rows are claimed"):
        pull(hasty, ["contacts"], "r1")
    assert not settings.warehouse.exists()


def test_empty_texts_for_no_time_are_none(account: Account, server: Server, settings: Settings) -> None:
    """An account that writes "" where there is no time loses no row by it."""
    server.faults.active.append(parse_fault("blank-times"))
    made = pull(settings, ["contacts", "lists", "offers"], "r1")
    assert_equal(account, settings)
    assert {snapshot.manifest.quarantined for snapshot in made} == {0}


def test_any_number_of_lists_may_come_in_one_reply(account: Account, settings: Settings) -> None:
    """GET /lists is not paged: 60,000 rows in one reply are more than one batch, some columns empty throughout."""
    row = {**account.lists[0], "brand_name": None, "created_at": None, "status": "active"}
    account.lists = [{**row, "id": number} for number in range(60_000)]
    (snapshot,) = pull(settings, ["lists"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.consistency) == (60_000, "exact")
    found = query(
        settings.warehouse, "SELECT min(id), max(id), count(DISTINCT id), count(brand_name) FROM lists"
    )
    assert found == [(0, 59_999, 60_000, 0)]


@pytest.mark.parametrize("null_until", [0, 1_100, 10_000])
def test_columns_may_be_empty_in_some_batches_or_in_all(
    account: Account, settings: Settings, null_until: int
) -> None:
    """Whatever may be null is null in every row of the first batches, or of all, of every dataset."""
    account.options = Options(revenue_events=True)
    kept = {
        "phone_number",
        "list_id",
        "active",
        "send_count",
        "click_count",
        "revenue_total",
        "conversion_count",
    }
    for rows in (account.contacts(), account.lists, account.offers, account.revenue):
        for row in rows[:null_until]:
            row.update(dict.fromkeys(row.keys() - kept - {"id", "revenue", "status", "signup_date"}))
    made = pulled(settings, 500)
    assert_equal(account, settings)
    assert {snapshot.manifest.quarantined for snapshot in made} == {0}


def test_every_activity_is_on_record(server: Server, settings: Settings) -> None:
    """sync.runs tells what each run did, failed ones with the error and its remedy, and never the key."""
    server.faults.active.append(parse_fault("revoke,times=1"))
    with pytest.raises(AccessError):
        pull(settings, ["offers"], "r1")
    restore_key(server)
    pull(settings, ["offers"], "r2")
    pull(settings, ["offers"], "r3")
    found = query(
        settings.warehouse, "SELECT run, activity, status, rows, error FROM sync.runs ORDER BY started_at"
    )
    assert [row[:4] for row in found][:3] == [
        ("r1", "pull offers", "failed", None),
        ("r2", "pull offers", "succeeded", 12),
        ("r2", "publish", "succeeded", 12),
    ]
    assert "TRACKLY_API_KEY" in found[0][4]
    key = settings.require_key().encode()
    for path in settings.data_dir.rglob("*"):
        assert path.is_dir() or key not in path.read_bytes(), path


def test_the_garbage_collector_is_set_as_before(server: Server, settings: Settings) -> None:
    """What a pull sets for the process it undoes, also when it fails: Dagster's process goes on."""
    before = gc.get_threshold(), gc.get_freeze_count()
    snapshot_dataset(settings, "lists", "r1")
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    server.faults.active.append(parse_fault("revoke,times=1"))
    with pytest.raises(AccessError):
        snapshot_dataset(settings, "lists", "r2")
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_an_endpoint_that_is_not_there_is_named(
    settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """A base URL that is not the API's says so."""
    wrong = settings_of(settings.base_url.replace("/api/v2", "/v3"), settings.data_dir)
    with pytest.raises(NotFoundError, match="TRACKLY_BASE_URL"):
        pull(wrong, ["lists"], "r1")
