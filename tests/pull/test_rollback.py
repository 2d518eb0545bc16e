"""What one pull owes to the ones before it: history, rollback, replay, retention, going on after an interruption."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracle import Key, assert_equal, key_of, query, restore_key, same, shown

from pipelines.errors import AccessError, NothingYetError, UsageError
from pipelines.pull.rollback import replay, rollback, would_pass
from pipelines.pull.run import publish_latest, pull, snapshot_dataset
from pipelines.sandbox import Account, Server, parse_fault, running, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import snapshots

BOTH = ("contacts", "revenue")
Row = dict[str, Any]


@pytest.mark.usefixtures("pulled")
def test_a_fuzzy_snapshot_removes_nothing(account: Account, settings: Settings) -> None:
    """Contacts that a fuzzy scan did not see stay published, with the snapshot that they came from.

    They are carried on, and balances go on, also where somebody has deleted the published snapshots' files.
    """
    gone, gone_later = (key_of(row) for row in account.contacts()[5:7])
    ((first,),) = query(settings.warehouse, "SELECT DISTINCT snapshot FROM contacts")
    account.remove_contact(gone)
    account.before_request = _reshuffle
    assert pull(settings, ["contacts"], "r2")[0].manifest.consistency == "fuzzy"
    came_from = "SELECT snapshot FROM contacts WHERE phone_number = ? AND list_id = ?"
    assert query(settings.warehouse, came_from, *gone) == [(first,)]
    account.remove_contact(gone_later)
    for name in BOTH:
        shutil.rmtree(settings.parquet_dir / name)
    assert pull(settings, BOTH, "r3")[0].manifest.consistency == "fuzzy"
    found = set(query(settings.warehouse, "SELECT phone_number, list_id FROM contacts"))
    assert found == {key_of(row) for row in account.contacts()} | {gone, gone_later}
    assert query(settings.warehouse, came_from, *gone) == [(first,)]
    assert query(settings.warehouse, "SELECT count(*) FROM revenue WHERE since IS NOT NULL") == [(0,)]
    account.before_request = None
    pull(settings, ["contacts"], "r4")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


@pytest.mark.usefixtures("pulled")
def test_rollback_publishes_the_earlier_snapshot(account: Account, settings: Settings) -> None:
    """After a rollback tables, history and derived revenue are as they were, and the next pull goes on from there.

    Derived revenue sums to the contacts' totals whatever is published: its contacts go back with it, without them it
    is refused, and it is made again where Dagster read contacts alone.
    """
    before = [account.contacts(), [dict(row) for row in account.contacts()]][1]
    changed = account.contacts()[0]
    changed["revenue_total"] += 5
    account.remove_contact(key_of(account.contacts()[1]))
    (first,) = snapshots(settings.parquet_dir, "contacts")
    (its_revenue,) = snapshots(settings.parquet_dir, "revenue")
    second = pull(settings, BOTH, "r2")[0]
    kept = first.folder.rename(first.folder.with_name(".away"))
    with pytest.raises(UsageError, match="contacts that are not kept any more"):
        rollback(settings, "revenue", "alone")
    kept.rename(first.folder)
    sums = "SELECT (SELECT sum(revenue) FROM revenue) = (SELECT sum(revenue_total) FROM contacts)"
    ages = "SELECT count(DISTINCT finished_at) FROM sync.snapshots WHERE published AND dataset IN ($1, $2)"
    for name in BOTH:
        rollback(settings, "contacts", "forward", second.manifest.snapshot)
        rollback(settings, name, name)
        assert same(shown(settings.warehouse, "contacts"), before, "phone_number", "list_id")
        assert query(settings.warehouse, "SELECT count(*), count(valid_to) FROM contacts_history") == [
            (1100, 0)
        ]
        assert query(settings.warehouse, sums) == [(True,)]
        assert query(settings.warehouse, ages, *BOTH) == [(1,)], "revenue is as old as its source"
    rollback(settings, "revenue", "its own", its_revenue.manifest.snapshot)
    assert query(settings.warehouse, sums) == [(True,)]
    publish_latest(settings, "the newest of each")
    assert query(settings.warehouse, sums) == [(True,)]
    changed["revenue_total"] += 5
    snapshot_dataset(settings, "contacts", "alone")
    publish_latest(settings, "without revenue")
    assert query(settings.warehouse, sums) == [(True,)]
    pull(settings, BOTH, "r4")
    assert_equal(account, settings)
    assert query(settings.warehouse, sums) == [(True,)]
    assert query(settings.warehouse, "SELECT count(*), count(removed_at) FROM contacts_history") == [
        (1102, 1)
    ]


VERSIONS = (
    "SELECT valid_to IS NULL, removed_at IS NOT NULL FROM contacts_history "
    "WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
)
HOLDS, ENDED, REMOVED = (True, False), (False, False), (False, True)


@pytest.mark.usefixtures("contacts_pulled")
def test_history_has_a_row_per_version(account: Account, settings: Settings) -> None:
    """A changed contact has versions that meet, a removed one ends, a new one begins.

    A quarantined contact's version ends without a removal; it is removed once the account is without it. Forward and
    back, to any snapshot, history tells what changed on the way, and no version twice or at once.
    """

    def versions(key: Key) -> list[tuple[Any, ...]]:
        return query(settings.warehouse, VERSIONS, *key)

    def step(changed: Row) -> None:
        changed["send_count"] += 1
        (made,) = pull(settings, ["contacts"], f"r{len(ids)}")
        ids.append(made.manifest.snapshot)

    changed, back, lost, once, left = account.contacts()[:5]
    gone, new = key_of(left), ("+15551112222", once["list_id"])
    good = back["send_count"]
    ids = [snapshot for (snapshot,) in query(settings.warehouse, "SELECT DISTINCT snapshot FROM contacts")]
    account.remove_contact(gone)
    account.add_contact({**once, "phone_number": new[0]})
    once["custom_fields"] = {"vip": True}
    back["send_count"] = lost["send_count"] = "many"
    step(changed)
    for name, row in {"back": back, "lost": lost}.items():
        assert versions(key_of(row)) == [ENDED], name
    assert (versions(gone), versions(new)) == ([REMOVED], [HOLDS])
    assert versions(key_of(once)) == versions(key_of(changed)) == [ENDED, HOLDS]
    vip = "SELECT custom_fields->>'vip' FROM contacts_history WHERE phone_number = ? ORDER BY valid_from"
    assert query(settings.warehouse, vip, once["phone_number"]) == [(None,), ("true",)]
    assert query(settings.warehouse, "SELECT count(*) FROM contacts_history") == [(1103,)]
    meets = (
        "SELECT count(*) FROM contacts_history a JOIN contacts_history b USING (phone_number, list_id) "
        "WHERE a.valid_to = b.valid_from"
    )
    assert query(settings.warehouse, meets) == [(2,)]
    before = (
        "SELECT count(*) FROM contacts_history WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)"
    )
    ((first_seen,),) = query(settings.warehouse, "SELECT min(valid_from) FROM contacts_history")
    assert query(settings.warehouse, before, first_seen) == [(1100,)]

    back["send_count"] = good
    account.remove_contact(key_of(lost))
    step(changed)
    assert (versions(key_of(back)), versions(key_of(lost))) == ([ENDED, HOLDS], [REMOVED])
    assert len(versions(key_of(changed))) == 3
    at_once = (
        "SELECT count(*) FROM contacts_history a JOIN contacts_history b USING (phone_number, list_id) "
        "WHERE a.valid_from < b.valid_from AND (a.valid_to IS NULL OR a.valid_to > b.valid_from)"
    )
    # to 2 the first time: the one between was put back by nobody since, so history has no step of it
    for to, steps in ((None, 2), (0, 1), (2, 2), (1, 2), (2, 3), (0, 1)):
        at = 1 if to is None else to
        rollback(settings, "contacts", "back", to=None if to is None else ids[to])
        assert versions(key_of(changed)) == [ENDED] * (steps - 1) + [HOLDS], (to, steps)
        assert versions(gone) == ([HOLDS] if at == 0 else [REMOVED]), (to, steps)
        assert query(settings.warehouse, at_once) == [(0,)], (to, steps)
        if to is None:
            assert versions(key_of(lost)) == [ENDED], "it was quarantined then, and had not gone"


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


@pytest.mark.usefixtures("contacts_pulled")
def test_replay_publishes_what_passes_by_now(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that a stricter contract had quarantined are published once the contract is corrected, and only they.

    Their versions hold from when their rows were read, which is when the ones before them ended.
    """
    from schemas import contacts  # noqa: PLC0415 - the contract is bent for this test
    from schemas.derived import pandera_checks  # noqa: PLC0415 - the contract is bent for this test

    account.contacts()[4]["click_count"] = -1
    account.contacts()[9]["send_count"] = -1
    (before,) = pull(settings, ["contacts"], "r2")
    assert query(settings.warehouse, "SELECT count(*) FROM quarantine.contacts") == [(2,)]
    schema = pandera_checks.frame_schema(contacts.CONTACTS)
    monkeypatch.setattr(schema.columns["click_count"], "checks", [])
    assert would_pass(settings, "contacts") == (1, 1)
    assert [path.name for path in (settings.data_dir / "runs").iterdir() if "replay" in path.name] == []
    after, passed = replay(settings, "contacts", "r3")
    assert (passed, after.manifest.rows, after.manifest.quarantined) == (1, 1099, 1)
    assert after.manifest.finished_at == before.manifest.finished_at, "nothing was read"
    assert query(settings.warehouse, "SELECT count(*) FROM contacts WHERE click_count = -1") == [(1,)]
    assert query(settings.warehouse, "SELECT reason FROM quarantine.contacts") == [
        ("send_count: must be at least 0",)
    ]
    ends = (
        "SELECT valid_from < valid_to, valid_to = lead(valid_from) OVER (ORDER BY valid_from) "
        "FROM contacts_history WHERE phone_number = ? AND list_id = ? ORDER BY valid_from"
    )
    assert query(settings.warehouse, ends, *key_of(account.contacts()[4])) == [(True, True), (None, None)]
    assert replay(settings, "contacts", "r4")[1] == 0
    assert would_pass(settings, "contacts") == (0, 1)


@pytest.mark.usefixtures("contacts_pulled")
def test_history_begins_again_with_a_snapshot_of_before_the_warehouse(
    account: Account, settings: Settings
) -> None:
    """A snapshot that is older than the warehouse, which was made again, is put back as history's beginning.

    No more snapshots stay on disk than the setting says.
    """
    few = settings.model_copy(update={"keep_snapshots": 2})
    settings.warehouse.unlink()
    account.contacts()[0]["send_count"] += 1
    pull(few, ["contacts"], "r2")
    rollback(few, "contacts", "r3")
    assert query(settings.warehouse, "SELECT count(*), count(valid_to) FROM contacts_history") == [(1100, 0)]
    pull(few, ["contacts"], "r4")
    backwards = "SELECT count(*), count(*) FILTER (WHERE valid_to <= valid_from) FROM contacts_history"
    assert query(settings.warehouse, backwards) == [(1101, 0)]
    assert len(list(settings.parquet_dir.glob("contacts/2*"))) == 2


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


def test_a_long_interrupted_pull_is_taken_up(tmp_path: Path, settings_of: Callable[..., Settings]) -> None:
    """What a long interrupted pull had read is not asked for again, and the snapshot says so.

    What was read from one account never mixes with another's rows. Events come a hundred a page.
    """
    account, another = _with_events(2_300), _with_events(120)
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", concurrency=1)
        server.faults.active.append(parse_fault("revoke,skip=23"))
        with pytest.raises(AccessError):
            pull(settings, ["revenue"], "r1")
        shutil.copytree(settings.data_dir, tmp_path / "interrupted")
        with running(another) as other:
            (snapshot,) = pull(settings_of(other.url, settings.data_dir), ["revenue"], "r2")
        assert snapshot.manifest.resumed == 0
        assert same(_events(settings), another.revenue, "id")
        shutil.rmtree(settings.data_dir)
        (tmp_path / "interrupted").rename(settings.data_dir)
        restore_key(server)
        account.revenue.append({**account.revenue[0], "id": "newest"})
        before = len(account.log)
        (snapshot,) = pull(settings, ["revenue"], "r2")
    assert snapshot.manifest.resumed == 21  # all but the top, which is read again
    assert "21 replies are of an interrupted pull" in snapshot.manifest.evidence
    assert snapshot.manifest.consistency == "repaired"
    asked = len(account.log) - before - 1  # one asks whether events are served
    assert asked == snapshot.manifest.requests - 21
    assert same(_events(settings), account.revenue, "id")


def _with_events(events: int) -> Account:
    """An account with so many events; each account has its own."""
    account = seed_account(contacts=20, seed=events)
    account.options.revenue_events = True
    account.revenue = [
        {**account.revenue[0], "id": f"{number} of {events}", "revenue": number} for number in range(events)
    ]
    return account


def _events(settings: Settings) -> list[Row]:
    rows = shown(settings.warehouse, "revenue")
    return [{name: value for name, value in row.items() if name != "source"} for row in rows]


def test_a_short_interrupted_pull_is_read_again(account: Account, server: Server, settings: Settings) -> None:
    """A pull of a few pages sees the account as it is now, not as it was when it was interrupted."""
    server.faults.active.append(parse_fault("revoke,skip=1"))
    with pytest.raises(AccessError):
        pull(settings, ["contacts"], "r1")
    restore_key(server)
    account.contacts()[-1]["send_count"] += 1
    (snapshot,) = pull(settings, ["contacts"], "r2")
    assert (snapshot.manifest.resumed, snapshot.manifest.consistency) == (0, "exact")
    assert same(shown(settings.warehouse, "contacts"), account.contacts(), "phone_number", "list_id")


def _reshuffle(number: int, account: Account) -> None:
    """Before every request all contacts change places, so that no two replies have anything in common."""
    for at, row in enumerate(account.contacts()):
        account.add_contact(
            {**row, "signup_date": f"20{number % 90 + 10}-01-01T{at % 24:02}:{at % 60:02}:00"}
        )
