"""Pulling from an account over HTTP; the account's own state is the oracle."""

import gc
import json
from collections.abc import Callable, Collection
from typing import Any

import pytest
from oracle import assert_equal, query, restore_key, same, shown

from pipelines.alerts.after_run import conditions
from pipelines.errors import AccessError
from pipelines.pull.run import publish_latest, pull, pull_all, snapshot_dataset
from pipelines.pull.snapshot import ReadOptions
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, Options, Server, parse_fault, running
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot

ALL = ("contacts", "lists", "offers", "revenue")


def in_batches(settings: Settings, batch_rows: int, names: Collection[str] = ALL) -> list[Snapshot]:
    """Datasets, one after the other as Dagster asks for them, in batches of so many rows."""
    options = ReadOptions(batch_rows=batch_rows)
    return [snapshot_dataset(settings, name, "r1", options=options) for name in names]


def test_a_quiet_account_arrives_equal_in_many_batches(account: Account, settings: Settings) -> None:
    """All four datasets arrive field by field, deleted lists and archived offers included.

    They show only when they are published, all in one go.
    """
    made = in_batches(settings, 300)
    assert not settings.warehouse.exists()
    publish_latest(settings, "r1")
    assert_equal(account, settings)
    assert {s.manifest.dataset: s.manifest.consistency for s in made} == dict.fromkeys(ALL, "exact")
    assert {row["status"] for row in account.lists} >= {"deleted", "paused", "active"}
    assert {row["status"] for row in account.offers} == {"active", "paused", "archived"}


@pytest.mark.usefixtures("pulled")
def test_a_second_pull_follows_the_account(account: Account, settings: Settings) -> None:
    """The first pull, of one batch, has all; changes of every kind between two are in the tables after the second."""
    assert_equal(account, settings)
    exact = query(settings.warehouse, "SELECT dataset FROM sync.snapshots WHERE consistency = 'exact'")
    assert sorted(exact) == [(name,) for name in ALL]
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


@pytest.mark.usefixtures("contacts_pulled")
def test_rows_name_the_reply_that_they_came_from(settings: Settings) -> None:
    """Every row's snapshot and page lead to a request, its time and the total that it claimed."""
    rows = query(
        settings.warehouse,
        "SELECT count(*), count(DISTINCT pages.page) >= 2, min(total), min(synced_at = received_at), "
        "bool_and(request LIKE 'GET /contacts?page=%') "
        "FROM contacts JOIN sync.pages AS pages USING (snapshot, page) WHERE dataset = 'contacts'",
    )
    assert rows == [(1100, True, 1100, True, True)]


@pytest.mark.usefixtures("contacts_pulled")
def test_what_changed_in_the_fields_is_reported(account: Account, settings: Settings) -> None:
    """A field that appears, and one that no row carries any more, are named against the snapshot before.

    A field that the contract does not know is kept as JSON and named in the snapshot, whichever rows have it.
    """
    for row in account.contacts():
        del row["carrier"]
    account.contacts()[0]["loyalty"] = {"points": 7}
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.unknown_fields == "loyalty"
    assert snapshot.manifest.schema_changes == (
        "new field loyalty, kept in extra; field carrier is not sent any more and null"
    )
    assert query(settings.warehouse, "SELECT count(carrier), count(*) FROM contacts") == [(0, 1100)]
    ((extra,),) = query(settings.warehouse, "SELECT extra FROM contacts WHERE extra IS NOT NULL")
    assert json.loads(extra) == {"loyalty": {"points": 7}}
    assert pull(settings, ["contacts"], "r3")[0].manifest.schema_changes == ""


def test_bad_rows_are_quarantined_once_each(account: Account, settings: Settings) -> None:
    """Published and quarantined rows add up to what was pulled, each bad row with its raw JSON and reason."""
    rows = account.contacts()
    for row in rows[980:1020]:  # across the seam of two pages, where rows are read twice
        row["send_count"] = "many"
    rows[1050]["click_count"] = -1
    (snapshot,) = pull(settings, ["contacts"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (1059, 41)
    assert snapshot.manifest.consistency == "exact"
    found = query(settings.warehouse, "SELECT reason, raw FROM quarantine.contacts")
    assert sorted({reason for reason, _ in found}) == [
        "click_count: must be at least 0",
        "send_count: expected int, got str",
    ]
    raws = [json.loads(raw) for _, raw in found]
    bad = [*rows[980:1020], rows[1050]]
    assert sorted(map(str, raws)) == sorted(map(str, bad))


def test_the_same_key_twice_in_one_reply_is_quarantined(
    account: Account, settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """Of rows with one key in one reply one is published and the others quarantined: none vanishes."""
    account.offers += [{**account.offers[0], "name": "the same id again"}, {**account.offers[0]}]
    lenient = settings_of(settings.base_url, settings.data_dir, pull_bad_share=0.2)
    (snapshot,) = pull(lenient, ["offers"], "r1")
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (12, 2)
    assert query(settings.warehouse, "SELECT reason FROM quarantine.offers ORDER BY reason") == [
        ("same id, other content: another row of the same reply has this key too",),
        ("the key stands on another row of the same reply too",),
    ]


def test_an_empty_account_is_no_error(tmp_path: Any, settings_of: Callable[..., Settings]) -> None:
    """An account without anything gives empty tables."""
    with running(Account()) as server:
        made = pull(settings_of(server.url, tmp_path / "data"), ALL, "r1")
    assert [s.manifest.rows for s in made] == [0, 0, 0, 0]


def test_columns_may_be_empty_in_some_batches_or_in_all(account: Account, settings: Settings) -> None:
    """Whatever may be null is null in every row of the first batches of contacts, or of all, of every dataset.

    GET /lists is not paged: one reply may be more than one batch.
    """
    account.options = Options(revenue_events=True)
    account.lists = [{**account.lists[0], "id": number, "status": "active"} for number in range(1_300)]
    kept = {
        "phone_number",
        "list_id",
        "active",
        "send_count",
        "click_count",
        "revenue_total",
        "conversion_count",
    }

    def empty(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.update(dict.fromkeys(row.keys() - kept - {"id", "revenue", "status", "signup_date"}))

    for rows in (account.contacts()[:600], account.lists, account.offers, account.revenue):
        empty(rows)
    made = in_batches(settings, 500)
    publish_latest(settings, "r1")
    assert_equal(account, settings)
    lists = next(snapshot.manifest for snapshot in made if snapshot.manifest.dataset == "lists")
    assert (lists.rows, lists.consistency) == (1_300, "exact")
    empty(account.contacts())
    made += in_batches(settings, 500, ["contacts"])
    publish_latest(settings, "r1")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
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


def test_a_pull_of_everything_that_fails_is_called_so(server: Server, settings: Settings) -> None:
    """Which of its parts noticed that the key was refused is chance, and how many of them did."""
    server.faults.active.append(parse_fault("revoke,times=1"))
    with pytest.raises(AccessError):
        pull_all(settings, "r1")
    (run,), _ = latest_runs(settings.data_dir, 1)
    assert run.what == "pull all"
    failed = {one.text for one in conditions(settings) if one.firing and one.name.startswith("failed:")}
    assert failed == {f"pull all failed: {run.errors[0].rstrip('.')}"}
    restore_key(server)
    pull(settings, ["lists", "offers"], "r2")
    assert latest_runs(settings.data_dir, 1)[0][0].what == "pull lists offers"


@pytest.mark.parametrize("set_aside", [False, True])
def test_the_garbage_collector_is_set_as_before(
    server: Server, settings: Settings, *, set_aside: bool, request: pytest.FixtureRequest
) -> None:
    """What a pull sets for the process it undoes, also when it fails: Dagster's process goes on."""
    of_tests = gc.get_threshold()
    request.addfinalizer(lambda: (gc.freeze(), gc.set_threshold(*of_tests)))
    (gc.freeze if set_aside else gc.unfreeze)()
    gc.set_threshold(10_000 if set_aside else 700, 10, 10)  # who sets aside lets Python look seldom
    before = gc.get_threshold()
    snapshot_dataset(settings, "lists", "r1")
    assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (before, set_aside)
    server.faults.active.append(parse_fault("revoke,times=1"))
    with pytest.raises(AccessError):
        snapshot_dataset(settings, "lists", "r2")
    assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (before, set_aside)
