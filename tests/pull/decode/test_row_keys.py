"""Rows without a usable key: every one counts, wherever it stands and however many look like it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import seeds
from oracle import key_of, query, same, shown

from pipelines.errors import DataError
from pipelines.pull.run import publish_latest, pull, snapshot_dataset
from pipelines.pull.snapshot import ReadOptions
from pipelines.sandbox import Account, Options, Server, drifting, parse_fault, running, seed_account
from pipelines.sandbox.faults.flaws import with_broken_key
from pipelines.settings import Settings

Row = dict[str, Any]


def broken(rows: list[Row], fault: str, name: str = "contacts") -> tuple[list[Row], list[Row]]:
    """The account's rows that a fault leaves whole, and the others as it serves them."""
    served = [(row, with_broken_key(name, row, parse_fault(fault))) for row in rows]
    return [row for row, as_served in served if row is as_served], [
        as_served for row, as_served in served if row is not as_served
    ]


def as_text(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def quarantined(settings: Settings, name: str = "contacts") -> Counter[str]:
    """The quarantined rows of a dataset, each as often as it is there."""
    return Counter(
        as_text(json.loads(raw)) for (raw,) in query(settings.warehouse, f"SELECT raw FROM quarantine.{name}")
    )


@pytest.mark.parametrize(("value", "batch"), [(0, 300), (1, 50_000)])
def test_rows_with_broken_keys_are_quarantined_one_by_one(
    account: Account,
    server: Server,
    settings: Settings,
    value: int,
    batch: int,
) -> None:
    """Published and quarantined rows are the account's, row by row; each quarantined one has its reason and place."""
    fault = f"broken-keys,path=/contacts,rate=0.045,value={value}"
    server.faults.active.append(parse_fault(fault))
    snapshot = snapshot_dataset(settings, "contacts", "r1", options=ReadOptions(batch_rows=batch))
    publish_latest(settings, "r1")
    good, bad = broken(account.contacts(), fault)
    assert 30 < len(bad) < 80
    assert same(shown(settings.warehouse, "contacts"), good, "phone_number", "list_id")
    assert quarantined(settings) == Counter(map(as_text, bad))
    assert (snapshot.manifest.rows, snapshot.manifest.quarantined) == (len(good), len(bad))
    assert snapshot.manifest.consistency == "exact"
    places = query(
        settings.warehouse,
        "SELECT count(DISTINCT (page, row)), count(*) FILTER (reason = '') FROM quarantine.contacts",
    )
    assert places == [(len(bad), 0)]


def test_the_guard_counts_every_row_without_a_key(
    account: Account, server: Server, settings: Settings
) -> None:
    """Beyond the limit nothing is published, and the message has the true share."""
    fault = "broken-keys,path=/contacts,rate=0.2,value=1"
    server.faults.active.append(parse_fault(fault))
    _, bad = broken(account.contacts(), fault)
    with pytest.raises(DataError, match=f"{len(bad):,} of 1,100 rows"):
        pull(settings, ["contacts"], "r1")
    assert not settings.warehouse.exists()


def test_other_datasets_keep_their_rows_too(tmp_path: Path, settings_of: Callable[..., Settings]) -> None:
    """Lists and offers without an id are quarantined one by one; events without one are rows of their own."""
    account = seed_account(contacts=3_000, lists=60, offers=250)
    account.options = Options(revenue_events=True)
    names = ("lists", "offers", "revenue")
    faults = {name: f"broken-keys,path=/{name},rate=0.3,value=1" for name in names}
    good, bad = {}, {}
    for name, fault in faults.items():
        rows = getattr(account, name)
        again = [row for row in rows if with_broken_key(name, row, parse_fault(fault)) is not row][:3]
        rows += [dict(row) for row in again for _ in range(3)]
        good[name], bad[name] = broken(rows, fault, name)
    with running(account) as server:
        server.faults.active += map(parse_fault, faults.values())
        settings = settings_of(server.url, tmp_path / "data", pull_bad_share=0.9)
        made = pull(settings, names, "r1")
    for manifest in (snapshot.manifest for snapshot in made):
        name = manifest.dataset
        assert bad[name], name
        if name == "revenue":
            assert (manifest.rows, manifest.quarantined) == (len(account.revenue), 0)
            assert sum("id" not in row for row in shown(settings.warehouse, name)) == len(bad[name])
        else:
            assert (manifest.rows, manifest.quarantined) == (len(good[name]), len(bad[name])), name
            assert quarantined(settings, name) == Counter(map(as_text, bad[name])), name
        assert manifest.consistency == "exact", name
    assert len(made) == len(names)


@pytest.mark.parametrize("seed", seeds(2))
def test_keyless_rows_of_a_changing_account_count_once_each(
    tmp_path: Path, settings_of: Callable[..., Settings], seed: int
) -> None:
    """Under sign-ups and deletions every row that stayed is published or quarantined, and exactly once."""
    account = seed_account(contacts=2_500, seed=seed)
    fault = parse_fault(f"broken-keys,path=/contacts,rate={(0.02, 0.15, 0.5)[seed % 3]},value={seed % 2}")
    for row in account.contacts()[: 60 * (seed % 3)]:  # a run of rows of which the content is the same
        row.update({**row, "custom_fields": {}, "send_count": 0})
    served = Counter(as_text(with_broken_key("contacts", row, fault)) for row in account.contacts())
    stayed, ever = served.copy(), served.copy()
    drift = drifting(0.5, seed)

    def change(number: int, of: Account) -> None:
        drift(number, of)
        now = Counter(as_text(with_broken_key("contacts", row, fault)) for row in of.contacts())
        nonlocal stayed, ever
        stayed, ever = stayed & now, ever | now

    account.before_request = change
    with running(account) as server:
        server.faults.active.append(fault)
        settings = settings_of(server.url, tmp_path / "data", pull_bad_share=0.9)
        options = ReadOptions(batch_rows=(300, 1_500, 50_000)[seed % 3])
        snapshot = snapshot_dataset(settings, "contacts", "r1", options=options)
    publish_latest(settings, "r1")
    found = quarantined(settings)
    keyless = {text for text in ever if not _is_keyed(json.loads(text))}
    assert not {text: n for text, n in stayed.items() if text in keyless and found[text] < n}
    assert not {text: n for text, n in found.items() if n > ever[text]}
    keys = query(settings.warehouse, "SELECT phone_number, list_id FROM contacts")
    assert {key_of(json.loads(text)) for text in stayed.keys() - keyless} <= set(keys)
    assert len(keys) == len(set(keys))
    assert snapshot.manifest.consistency in ("exact", "repaired")


def _is_keyed(row: Row) -> bool:
    phone, list_id = row.get("phone_number"), row.get("list_id")
    return isinstance(phone, str) and phone.startswith("+") and type(list_id) is int
