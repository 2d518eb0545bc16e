"""`diff`: what changed between two pulls, against the account's own states compared in plain Python."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from commands import Done
from oracle import Key, expected, key_of

from pipelines.errors import NothingYetError, UsageError
from pipelines.pull.run import pull
from pipelines.sandbox import Account, parse_fault, running, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import snapshots
from pipelines.warehouse.diff import compare, snapshots_to_compare

Sync = Callable[..., Done]
State = dict[Key, dict[str, Any]]
SECRET: Key = key_of(seed_account(contacts=400).contacts()[100])
"""The contact that nobody is to see."""


@pytest.fixture
def account() -> Account:
    """A few contacts."""
    return seed_account(contacts=20)


def state(account: Account) -> State:
    return {key_of(row): copy.deepcopy(expected(row)) for row in account.contacts()}


def changes(before: State, after: State) -> Counter[str]:
    """In how many rows each column differs."""
    return Counter(
        name
        for key in before.keys() & after.keys()
        for name in before[key] | after[key]
        if before[key].get(name) != after[key].get(name)
    )


class Pulled(NamedTuple):
    """An account that was pulled again and again: its settings, its contacts at each pull, and their snapshots."""

    settings: Settings
    states: list[State]
    ids: list[str]


@pytest.fixture(scope="module")
def pulled_again(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Pulled:
    """Four pulls of a page of contacts. Before the last one only the contact of `SECRET` changes.

    Before the second one lists and offers change as well, and nothing of them later.
    """
    account, states = seed_account(contacts=400), []
    account.offers[0]["metadata"] = {"a": 1, "b": 2}
    secret = account.contact(SECRET)
    assert secret is not None
    secret["custom_fields"] = {"name": "Before"}
    with running(account) as server:
        settings = settings_of(server.url, tmp_path_factory.mktemp("diff") / "data")
        for step in range(4):
            if step in (1, 2):
                change_contacts(account, step)
            if step == 1:
                account.lists[0]["status"] = "paused"
                account.offers[0]["metadata"] = {"b": 2, "a": 1}
                account.offers[1]["payout"] = 12.5
            if step == 2:
                server.faults.active.append(parse_fault("rewritten"))
            if step == 3:
                secret["custom_fields"] = {"name": "Afterwards"}
                secret["send_count"] += 1
            pull(settings, ["contacts", "lists", "offers"] if step < 2 else ["contacts"], f"r{step}")
            states.append(state(account))
    ids = [snapshot.manifest.snapshot for snapshot in snapshots(settings.parquet_dir, "contacts")]
    return Pulled(settings, states, ids)


def change_contacts(account: Account, step: int) -> None:
    """Counts and times of some, custom fields, a carrier; one goes, three come."""
    rows = [row for row in account.contacts() if key_of(row) != SECRET]
    for row in rows[: 40 * step : 2]:
        row["send_count"] += 1
        row["last_sent_at"] = "2026-11-20T10:00:00"
    rows[1]["custom_fields"] = {"first_name": "Zoé", "tier": 2}
    rows[3]["carrier"] = None
    account.remove_contact(key_of(rows[5]))
    for number in range(3):
        account.add_contact({**rows[7], "phone_number": f"+1555000{step}{number:03}"})


def test_columns_rows_and_examples_are_the_accounts(pulled_again: Pulled) -> None:
    """Counts by column are those of the two states; JSON in another form is no change; any two pulls can be asked."""
    settings, states, ids = pulled_again
    for first, second in ((1, 2), (0, 2), (2, 0)):
        found = compare(
            settings, *snapshots_to_compare(settings, "contacts", ids[first], ids[second]), examples=2
        )
        before, after = states[first], states[second]
        wanted = changes(before, after)
        assert {name: column.rows for name, column in found.columns.items()} == wanted
        assert found.added == len(after.keys() - before.keys())
        assert found.removed == len(before.keys() - after.keys())
        assert found.changed == sum(before[key] != after[key] for key in before.keys() & after.keys())
        for name, column in found.columns.items():
            assert len(column.examples) == min(2, wanted[name])
            for example in column.examples:
                key = example.key["phone_number"], example.key["list_id"]
                both = before[key].get(name), after[key].get(name)
                shown = example.before, example.after
                assert both == (tuple(map(json.loads, shown)) if name == "custom_fields" else shown)
    latest = snapshots_to_compare(settings, "contacts", None, None)
    assert [snapshot.manifest.snapshot for snapshot in latest] == ids[2:]


def test_lists_and_offers_too(pulled_again: Pulled) -> None:
    """Whatever has versions can be compared; a metadata that is only written in another way is the same."""
    settings = pulled_again.settings
    for name, column in (("lists", "status"), ("offers", "payout")):
        found = compare(settings, *snapshots_to_compare(settings, name, None, None), examples=3)
        assert {name: of.rows for name, of in found.columns.items()} == {column: 1}


def test_what_cannot_be_compared_is_an_error(account: Account, settings: Settings) -> None:
    """No snapshot, only one, or an unknown one: what there is, and what to do."""
    del account
    with pytest.raises(NothingYetError, match="There is no snapshot of contacts"):
        snapshots_to_compare(settings, "contacts", None, None)
    (made,) = pull(settings, ["contacts"], "r1")
    only = made.manifest.snapshot
    with pytest.raises(NothingYetError, match=f"before {only}"):
        snapshots_to_compare(settings, "contacts", None, None)
    with pytest.raises(UsageError, match="Both are the snapshot"):
        snapshots_to_compare(settings, "contacts", only, only)
    with pytest.raises(UsageError) as caught:
        snapshots_to_compare(settings, "contacts", "2026", only)
    assert only in caught.value.remedy


def test_the_command_masks_people(pulled_again: Pulled, sync: Sync) -> None:
    """For people and as JSON; phones and custom fields only with --show-values; a mistake is exit 2 with a remedy."""

    def diff(*arguments: str) -> Done:
        return sync("diff", *arguments, TRACKLY_DATA_DIR=str(pulled_again.settings.data_dir))

    phone, count = SECRET[0], pulled_again.states[-1][SECRET]["send_count"]
    masked = diff("contacts")
    assert masked.returncode == 0, masked.stderr
    assert "custom_fields: 1 row" in masked.stdout
    assert "send_count: 1 row" in masked.stdout
    assert f"{count - 1} -> {count}" in masked.stdout
    as_json = diff("contacts", "--json")
    for done in (masked, as_json):
        assert phone not in done.stdout
        assert "Afterwards" not in done.stdout
    assert json.loads(as_json.stdout)["columns"]["custom_fields"]["rows"] == 1
    shown = diff("contacts", "--show-values", "--json")
    (example,) = json.loads(shown.stdout)["columns"]["custom_fields"]["examples"]
    assert example["key"]["phone_number"] == phone
    assert json.loads(example["after"]) == {"name": "Afterwards"}
    _is_a_mistake(diff("revenue"), "contacts")
    _is_a_mistake(diff("contacts", "--from", "nothing"), "On disk")


def _is_a_mistake(done: Done, remedy: str) -> None:
    assert done.returncode == 2
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
