"""What one pull owes to the ones before it: history, rollback, replay, retention, going on after an interruption."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from oracle import assert_equal, key_of, query, restore_key, same, shown

from pipelines.errors import AccessError, NothingYetError, UsageError
from pipelines.pull.rollback import replay, rollback, would_pass
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Server, parse_fault, running, seed_account
from pipelines.settings import Settings

BOTH = ("contacts", "revenue")


@pytest.mark.usefixtures("contacts_pulled")
def test_a_fuzzy_snapshot_removes_nothing(account: Account, settings: Settings) -> None:
    """Contacts that a fuzzy scan did not see stay published, with the snapshot that they came from."""
    first = query(settings.warehouse, "SELECT DISTINCT snapshot FROM contacts")
    gone = account.contacts()[5]
    account.remove_contact(key_of(gone))
    account.before_request = _reshuffle
    (second,) = pull(settings, ["contacts"], "r2")
    assert second.manifest.consistency == "fuzzy"
    kept = query(
        settings.warehouse,
        "SELECT snapshot FROM contacts WHERE phone_number = ? AND list_id = ?",
        *key_of(gone),
    )
    assert kept == first
    account.before_request = None
    pull(settings, ["contacts"], "r3")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


@pytest.mark.usefixtures("contacts_pulled")
def test_history_has_a_row_per_version(account: Account, settings: Settings) -> None:
    """A changed contact has two versions that meet, a removed one ends, a new one begins."""
    rows = account.contacts()
    rows[0]["custom_fields"] = {"vip": True}
    account.remove_contact(key_of(rows[1]))
    account.add_contact({**rows[2], "phone_number": "+15551112222"})
    pull(settings, ["contacts"], "r2")
    versions = (
        "SELECT custom_fields->>'vip', valid_to IS NULL, removed_at IS NULL FROM contacts_history "
        "WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
    )
    assert query(settings.warehouse, versions, *key_of(rows[0])) == [
        (None, False, True),
        ("true", True, True),
    ]
    assert query(settings.warehouse, versions, *key_of(rows[1])) == [(None, False, False)]
    assert query(settings.warehouse, versions, "+15551112222", rows[2]["list_id"]) == [(None, True, True)]
    assert query(settings.warehouse, "SELECT count(*) FROM contacts_history") == [(2502,)]
    meets = (
        "SELECT count(*) FROM contacts_history a JOIN contacts_history b USING (phone_number, list_id) "
        "WHERE a.valid_to = b.valid_from"
    )
    assert query(settings.warehouse, meets) == [(1,)]
    before = (
        "SELECT count(*) FROM contacts_history WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)"
    )
    ((first_seen,),) = query(settings.warehouse, "SELECT min(valid_from) FROM contacts_history")
    assert query(settings.warehouse, before, first_seen) == [(2500,)]


def test_json_that_is_written_in_another_way_is_no_new_version(account: Account, settings: Settings) -> None:
    """Another order of keys, at any depth, makes no version; another value or another column does."""
    rows = account.contacts()
    for row in rows:
        row["custom_fields"] = {"a": 1, "b": {"x": "é", "y": [1, {"p": 1, "q": 2}]}, "c": None}
    rows[3]["custom_fields"] = {"big": 9_007_199_254_740_993, "share": 0.1}
    pull(settings, ["contacts"], "r1")
    for row in rows:
        row["custom_fields"] = dict(reversed(row["custom_fields"].items()))
    for row in rows[:2]:
        row["custom_fields"]["b"] = {"y": [1, {"q": 2, "p": 1}], "x": "é"}
    rows[0]["custom_fields"]["b"]["y"] = [{"q": 2, "p": 1}, 1]
    rows[2]["send_count"] += 1
    rows[3]["custom_fields"]["big"] += 1
    pull(settings, ["contacts"], "r2")
    changed = query(
        settings.warehouse, "SELECT phone_number, list_id FROM contacts_history WHERE valid_to IS NOT NULL"
    )
    assert sorted(changed) == sorted(key_of(rows[place]) for place in (0, 2, 3))


@pytest.mark.usefixtures("pulled")
def test_rollback_publishes_the_earlier_snapshot(account: Account, settings: Settings) -> None:
    """After a rollback tables, history and derived revenue are as they were, and the next pull goes on from there."""
    before = [account.contacts(), [dict(row) for row in account.contacts()]][1]
    changed = account.contacts()[0]
    changed["revenue_total"] += 5
    account.remove_contact(key_of(account.contacts()[1]))
    pull(settings, BOTH, "r2")
    rollback(settings, "contacts", "r3")
    assert same(shown(settings.warehouse, "contacts"), before, "phone_number", "list_id")
    assert query(settings.warehouse, "SELECT count(*), count(valid_to) FROM contacts_history") == [(2500, 0)]
    sums = "SELECT (SELECT sum(revenue) FROM revenue) = (SELECT sum(revenue_total) FROM contacts)"
    assert query(settings.warehouse, sums) == [(True,)]
    ages = "SELECT count(DISTINCT finished_at) FROM sync.snapshots WHERE published AND dataset IN ($1, $2)"
    assert query(settings.warehouse, ages, "contacts", "revenue") == [(1,)], "revenue is as old as its source"
    pull(settings, BOTH, "r4")
    assert_equal(account, settings)
    assert query(settings.warehouse, sums) == [(True,)]
    assert query(settings.warehouse, "SELECT count(*), count(removed_at) FROM contacts_history") == [
        (2501, 1)
    ]


@pytest.mark.usefixtures("contacts_pulled")
def test_rollbacks_to_and_fro_lead_history_along(account: Account, settings: Settings) -> None:
    """Forward again, to any snapshot, history tells what changed on the way, and no version twice or at once."""
    rows = account.contacts()
    changed, gone = rows[0], key_of(rows[1])
    ids = [snapshot for (snapshot,) in query(settings.warehouse, "SELECT DISTINCT snapshot FROM contacts")]
    account.remove_contact(gone)
    for step in (1, 2):
        changed["send_count"] += 1
        (made,) = pull(settings, ["contacts"], f"r{step}")
        ids.append(made.manifest.snapshot)
    versions = (
        "SELECT valid_to IS NULL, removed_at IS NOT NULL FROM contacts_history "
        "WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
    )
    assert len(query(settings.warehouse, versions, *key_of(changed))) == 3
    # to 2 the first time: the one between was put back by nobody, so history has no step of it
    for to, steps in ((0, 1), (2, 2), (1, 2), (2, 3), (0, 1)):
        rollback(settings, "contacts", "back", to=ids[to])
        found = query(settings.warehouse, versions, *key_of(changed))
        assert found == [(False, False)] * (steps - 1) + [(True, False)]
        assert query(settings.warehouse, versions, *gone) == ([(True, False)] if to == 0 else [(False, True)])
        at_once = (
            "SELECT count(*) FROM contacts_history a JOIN contacts_history b USING (phone_number, list_id) "
            "WHERE a.valid_from < b.valid_from AND (a.valid_to IS NULL OR a.valid_to > b.valid_from)"
        )
        assert query(settings.warehouse, at_once) == [(0,)]


@pytest.mark.usefixtures("contacts_pulled")
def test_a_contact_that_is_quarantined_has_not_gone(account: Account, settings: Settings) -> None:
    """A quarantined contact's version ends without a removal; it is removed once the account is without it."""
    back, lost = account.contacts()[3], account.contacts()[4]
    good = back["send_count"]
    back["send_count"] = lost["send_count"] = "many"
    pull(settings, ["contacts"], "r2")
    versions = (
        "SELECT valid_to IS NULL, removed_at IS NOT NULL FROM contacts_history "
        "WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
    )
    for row in (back, lost):
        assert query(settings.warehouse, versions, *key_of(row)) == [(False, False)]
    back["send_count"] = good
    account.remove_contact(key_of(lost))
    pull(settings, ["contacts"], "r3")
    assert query(settings.warehouse, versions, *key_of(back)) == [(False, False), (True, False)]
    assert query(settings.warehouse, versions, *key_of(lost)) == [(False, True)]
    rollback(settings, "contacts", "r4")
    assert query(settings.warehouse, versions, *key_of(lost)) == [(False, False)]


@pytest.mark.usefixtures("pulled")
def test_a_fuzzy_snapshot_removes_nothing_though_the_one_before_it_is_gone(
    account: Account, settings: Settings
) -> None:
    """What is published is carried on, and balances go on, also where somebody has deleted its files."""
    gone = account.contacts()[5]
    account.remove_contact(key_of(gone))
    for name in ("contacts", "revenue"):
        shutil.rmtree(settings.parquet_dir / name)
    account.before_request = _reshuffle
    made = {s.manifest.dataset: s.manifest for s in pull(settings, ["contacts", "revenue"], "r2")}
    assert made["contacts"].consistency == "fuzzy"
    found = {(row["phone_number"], row["list_id"]) for row in shown(settings.warehouse, "contacts")}
    assert found == {key_of(row) for row in account.contacts()} | {key_of(gone)}
    assert query(settings.warehouse, "SELECT count(*) FROM revenue WHERE since IS NOT NULL") == [(0,)]


@pytest.mark.usefixtures("contacts_pulled")
def test_rollback_to_what_is_not_there(settings: Settings) -> None:
    """A snapshot that is not on disk is the user's mistake; where there is no earlier one, the next step is named."""
    with pytest.raises(NothingYetError, match="no snapshot of lists yet"):
        rollback(settings, "lists", "r1")
    ((snapshot,),) = query(settings.warehouse, "SELECT DISTINCT snapshot FROM contacts")
    with pytest.raises(NothingYetError, match="no earlier snapshot"):
        rollback(settings, "contacts", "r2")
    with pytest.raises(UsageError, match=snapshot):
        rollback(settings, "contacts", "r2", to="20200101T000000000000Z-abcdef")
    settings.warehouse.unlink()
    with pytest.raises(NothingYetError, match=r"No snapshot of contacts is published\."):
        rollback(settings, "contacts", "r2")


def test_replay_publishes_what_passes_by_now(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that a stricter contract had quarantined are published once the contract is corrected, and only they."""
    from schemas import contacts  # noqa: PLC0415 - the contract is bent for this test
    from schemas.derived import pandera_checks  # noqa: PLC0415 - the contract is bent for this test

    account.contacts()[4]["click_count"] = -1
    account.contacts()[9]["send_count"] = -1
    (before,) = pull(settings, ["contacts"], "r1")
    assert query(settings.warehouse, "SELECT count(*) FROM quarantine.contacts") == [(2,)]
    schema = pandera_checks.frame_schema(contacts.CONTACTS)
    monkeypatch.setattr(schema.columns["click_count"], "checks", [])
    assert would_pass(settings, "contacts") == (1, 1)
    assert [path.name for path in (settings.data_dir / "runs").iterdir() if "replay" in path.name] == []
    after, passed = replay(settings, "contacts", "r2")
    assert (passed, after.manifest.rows, after.manifest.quarantined) == (1, 2499, 1)
    assert after.manifest.finished_at == before.manifest.finished_at, "nothing was read"
    assert query(settings.warehouse, "SELECT count(*) FROM contacts WHERE click_count = -1") == [(1,)]
    assert query(settings.warehouse, "SELECT reason FROM quarantine.contacts") == [
        ("send_count: must be at least 0",)
    ]
    assert replay(settings, "contacts", "r3")[1] == 0
    assert would_pass(settings, "contacts") == (0, 1)


@pytest.mark.usefixtures("contacts_pulled")
def test_a_replay_goes_on_where_history_ended(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that a replay publishes holds from when its row was read, which is when the one before it ended."""
    from schemas import contacts  # noqa: PLC0415 - the contract is bent for this test
    from schemas.derived import pandera_checks  # noqa: PLC0415 - the contract is bent for this test

    account.contacts()[4]["click_count"] = -1
    pull(settings, ["contacts"], "r2")
    monkeypatch.setattr(pandera_checks.frame_schema(contacts.CONTACTS).columns["click_count"], "checks", [])
    assert replay(settings, "contacts", "r3")[1] == 1
    ends = (
        "SELECT valid_from < valid_to, valid_to = lead(valid_from) OVER (ORDER BY valid_from) "
        "FROM contacts_history WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
    )
    key = key_of(account.contacts()[4])
    assert query(settings.warehouse, ends, *key) == [(True, True), (None, None)]


@pytest.mark.usefixtures("contacts_pulled")
def test_history_begins_again_with_a_snapshot_of_before_the_warehouse(
    account: Account, settings: Settings
) -> None:
    """A snapshot that is older than the warehouse, which was made again, is put back as history's beginning."""
    settings.warehouse.unlink()
    account.contacts()[0]["send_count"] += 1
    pull(settings, ["contacts"], "r2")
    rollback(settings, "contacts", "r3")
    assert query(settings.warehouse, "SELECT count(*), count(valid_to) FROM contacts_history") == [(2500, 0)]
    pull(settings, ["contacts"], "r4")
    backwards = "SELECT count(*), count(*) FILTER (WHERE valid_to <= valid_from) FROM contacts_history"
    assert query(settings.warehouse, backwards) == [(2501, 0)]


@pytest.mark.usefixtures("contacts_pulled")
def test_only_new_sign_ups_are_read_on_request(account: Account, settings: Settings) -> None:
    """`since_last` reads down to known contacts, adds what is new, and does not call itself complete."""
    nothing_yet = settings.model_copy(update={"data_dir": settings.data_dir / "elsewhere"})
    with pytest.raises(NothingYetError, match="No contacts are published"):
        pull(nothing_yet, ["contacts"], "r0", since_last=True)
    newest = account.contacts()[0]
    account.add_contact({**newest, "phone_number": "+15551112222", "signup_date": "2026-01-01T00:00:00"})
    before = len(account.log)
    (snapshot,) = pull(settings, ["contacts"], "r2", since_last=True)
    assert [item.query["page"] for item in account.log[before:] if item.path == "/contacts"] == ["1"]
    assert snapshot.manifest.consistency == "fuzzy"
    assert "only new sign-ups were read" in snapshot.manifest.evidence
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    account.contacts()[999]["phone_number"] = None
    before = len(account.log)
    pull(settings, ["contacts"], "r3", since_last=True)
    asked = [item.query["page"] for item in account.log[before:] if item.path == "/contacts"]
    assert asked == ["1", "2"], "a row without its key is not known"


def test_a_long_interrupted_pull_is_taken_up(tmp_path: Any, settings_of: Callable[..., Settings]) -> None:
    """What a long interrupted pull had read is not asked for again, and the snapshot says so.

    What was read from one account never mixes with another's rows.
    """
    another = seed_account(contacts=2_500, seed=2)
    account = seed_account(contacts=23_000)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", concurrency=1)
        server.faults.active.append(parse_fault("revoke,skip=22"))
        with pytest.raises(AccessError):
            pull(settings, ["contacts"], "r1")
        shutil.copytree(settings.data_dir, tmp_path / "copy")
        restore_key(server)
        account.add_contact({**account.contacts()[0], "phone_number": "+15551112222"})
        before = len(account.log)
        (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.resumed == 21  # all but the top, which is read again
    assert "21 replies are of an interrupted pull" in snapshot.manifest.evidence
    assert snapshot.manifest.consistency == "repaired"
    assert len(account.log) - before == snapshot.manifest.requests - 21
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")
    with running(another) as server:
        settings = settings_of(server.url, tmp_path / "copy")
        (snapshot,) = pull(settings, ["contacts"], "r2")
    assert snapshot.manifest.resumed == 0
    assert same(shown(settings.warehouse, "contacts"), another.contacts(), "phone_number", "list_id")


def test_a_short_interrupted_pull_is_read_again(account: Account, server: Server, settings: Settings) -> None:
    """A pull of a few pages sees the account as it is now, not as it was when it was interrupted."""
    server.faults.active.append(parse_fault("revoke,skip=2"))
    with pytest.raises(AccessError):
        pull(settings, ["contacts"], "r1")
    restore_key(server)
    account.contacts()[-1]["send_count"] += 1
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert (snapshot.manifest.resumed, snapshot.manifest.consistency) == (0, "exact")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


def test_old_snapshots_are_deleted(settings: Settings, settings_of: Callable[..., Settings]) -> None:
    """No more snapshots stay on disk than the setting says."""
    few = settings_of(settings.base_url, settings.data_dir, keep_snapshots=2)
    for run in "abcd":
        pull(few, ["offers"], run)
    assert len(list(settings.parquet_dir.glob("offers/2*"))) == 2


def _reshuffle(number: int, account: Account) -> None:
    """Before every request all contacts change places, so that no two replies have anything in common."""
    for at, row in enumerate(account.contacts()):
        account.add_contact(
            {**row, "signup_date": f"20{number % 90 + 10}-01-01T{at % 24:02}:{at % 60:02}:00"}
        )
