"""`diff`: what changed between two pulls, against the account's own states compared in plain Python."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Done
from oracle import Key, expected, key_of

from pipelines.errors import NothingYetError, UsageError
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Server, parse_fault, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import snapshots
from pipelines.warehouse.diff import compare, snapshots_to_compare

Sync = Callable[..., Done]
State = dict[Key, dict[str, Any]]


@pytest.fixture
def account() -> Account:
    """One page of contacts."""
    return seed_account(contacts=400)


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


def test_columns_rows_and_examples_are_the_accounts(
    account: Account, server: Server, settings: Settings
) -> None:
    """Counts by column are those of the two states; JSON in another form is no change; any two pulls can be asked."""
    states = []
    for step in range(3):
        rows = account.contacts()
        if step:
            for row in rows[: 40 * step : 2]:
                row["send_count"] += 1
                row["last_sent_at"] = "2026-11-20T10:00:00"
            rows[1]["custom_fields"] = {"first_name": "Zoé", "tier": 2}
            rows[3]["carrier"] = None
            account.remove_contact(key_of(rows[5]))
            for number in range(3):
                account.add_contact({**rows[7], "phone_number": f"+1555000{step}{number:03}"})
        if step == 2:
            server.faults.active.append(parse_fault("rewritten"))
        pull(settings, ["contacts"], f"r{step}")
        states.append(state(account))
    ids = [snapshot.manifest.snapshot for snapshot in snapshots(settings.parquet_dir, "contacts")]
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
    assert [snapshot.manifest.snapshot for snapshot in latest] == ids[1:]


def test_lists_and_offers_too(account: Account, settings: Settings) -> None:
    """Whatever has versions can be compared; a metadata that is only written in another way is the same."""
    account.offers[0]["metadata"] = {"a": 1, "b": 2}
    pull(settings, ["lists", "offers"], "r1")
    account.lists[0]["status"] = "paused"
    account.offers[0]["metadata"] = {"b": 2, "a": 1}
    account.offers[1]["payout"] = 12.5
    pull(settings, ["lists", "offers"], "r2")
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


def test_the_command_masks_people(account: Account, settings: Settings, sync: Sync, tmp_path: Path) -> None:
    """For people and as JSON; phones and custom fields only with --show-values; a mistake is exit 2 with a remedy."""
    assert settings.data_dir == tmp_path / "data"
    secret = account.contacts()[0]
    secret["custom_fields"] = {"name": "Before"}
    pull(settings, ["contacts"], "r1")
    secret["custom_fields"] = {"name": "Afterwards"}
    secret["send_count"] += 1
    pull(settings, ["contacts"], "r2")
    masked = sync("diff", "contacts")
    assert masked.returncode == 0, masked.stderr
    assert "custom_fields: 1 row" in masked.stdout
    assert "send_count: 1 row" in masked.stdout
    assert f"{secret['send_count'] - 1} -> {secret['send_count']}" in masked.stdout
    as_json = sync("diff", "contacts", "--json")
    for done in (masked, as_json):
        assert secret["phone_number"] not in done.stdout
        assert "Afterwards" not in done.stdout
    assert json.loads(as_json.stdout)["columns"]["custom_fields"]["rows"] == 1
    shown = sync("diff", "contacts", "--show-values", "--json")
    (example,) = json.loads(shown.stdout)["columns"]["custom_fields"]["examples"]
    assert example["key"]["phone_number"] == secret["phone_number"]
    assert json.loads(example["after"]) == {"name": "Afterwards"}
    _is_a_mistake(sync("diff", "revenue"), "contacts")
    _is_a_mistake(sync("diff", "contacts", "--from", "nothing"), "On disk")


def _is_a_mistake(done: Done, remedy: str) -> None:
    assert done.returncode == 2
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
