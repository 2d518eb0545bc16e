"""Pulls over HTTP from accounts that change while they are read; the account's own history is the oracle."""

from collections.abc import Callable
from pathlib import Path

import pytest
from effort import seeds
from oracle import Key, followed, key_of, query

from pipelines.pull.run import publish_latest, pull, snapshot_dataset
from pipelines.pull.snapshot import ReadOptions
from pipelines.sandbox import Account, drifting, running, seed_account
from pipelines.settings import Settings


@pytest.mark.parametrize("seed", seeds(2))
def test_every_contact_that_stayed_is_there_once(
    tmp_path: Path, settings_of: Callable[..., Settings], seed: int
) -> None:
    """Under random sign-ups, deletions, updates and moves every contact that stayed is published exactly once.

    The scan by itself meets far more of such accounts in `test_scan`; here they go through a whole pull.
    """
    rate = (0.3, 1.0)[seed % 2]
    batches = ReadOptions(batch_rows=(300, 1_500, 50_000)[seed % 3])  # one, some, or many
    account = seed_account(contacts=4_000, seed=seed)
    stayed, ever = followed(account, drifting(rate, seed))
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", concurrency=1 + seed)
        snapshot = snapshot_dataset(settings, "contacts", "r1", options=batches)
    publish_latest(settings, "r1")
    found = query(settings.warehouse, "SELECT phone_number, list_id FROM contacts")
    assert len(found) == len(set(found)), "no contact twice"
    assert stayed <= set(found) <= ever
    assert snapshot.manifest.consistency in ("exact", "repaired")
    versions = dict(
        query(settings.warehouse, "SELECT (phone_number, list_id)::VARCHAR, send_count FROM contacts")
    )
    assert len(versions) == len(found)


def test_a_burst_between_two_pages_is_bridged(tmp_path: Path, settings_of: Callable[..., Settings]) -> None:
    """Hundreds of deletions at the top during a scan skip no contact that stayed, and cost few requests."""
    account = seed_account(contacts=4_000)
    stayed = _keys(account)

    def burst(number: int, of: Account) -> None:
        if number == 2:
            for row in of.contact_page(0, 300):
                of.remove_contact((row["phone_number"], row["list_id"]))
            stayed.intersection_update(_keys(of))

    account.before_request = burst
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        (snapshot,) = pull(settings, ["contacts"], "r1")
    found = set(query(settings.warehouse, "SELECT phone_number, list_id FROM contacts"))
    assert stayed <= found
    assert snapshot.manifest.consistency == "repaired"
    assert snapshot.manifest.extra_requests <= 5


def _keys(account: Account) -> set[Key]:
    return {key_of(row) for row in account.contacts()}
