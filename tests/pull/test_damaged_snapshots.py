"""A damaged file of a snapshot is named by whatever reads it, and without the snapshot all goes on."""

from collections.abc import Callable
from functools import partial

import pytest
from damages import DAMAGES

from pipelines.errors import StorageError
from pipelines.pull.rollback import replay, rollback
from pipelines.pull.run import pull
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import latest, snapshots
from pipelines.warehouse.diff import compare


@pytest.fixture
def account() -> Account:
    """A small account with a list that is quarantined, so that there is something to replay."""
    account = seed_account(contacts=10)
    account.lists[0]["list_name"] = 7
    return account


def test_a_damaged_snapshot_is_named(account: Account, settings: Settings) -> None:
    """By pull, rollback, replay and diff, with each damage once; nothing is published, and the remedy works."""
    settings = settings.model_copy(update={"pull_bad_share": 1.0})
    pull(settings, ["lists"], "r1")
    account.lists[1]["list_name"] = "other"
    pull(settings, ["lists"], "r2")
    newest = latest(settings.parquet_dir, "lists")
    (first, *_) = snapshots(settings.parquet_dir, "lists")
    assert newest
    asks: list[tuple[str, Callable[[], object], tuple[str, ...]]] = [
        ("pages", partial(pull, settings, ["lists"], "r3"), ("cut off", "another table")),
        ("quarantine", partial(replay, settings, "lists", "r4"), ("empty", "another table")),
        ("data", partial(compare, settings, first, newest, 1), tuple(DAMAGES)),
    ]
    before = settings.warehouse.read_bytes()
    for name, ask, damages in asks:
        path = newest.folder / f"{name}.parquet"
        whole = path.read_bytes()
        for damage in damages:
            path.write_bytes(DAMAGES[damage](whole))
            with pytest.raises(StorageError, match=rf"{name}\.parquet is damaged: ") as refused:
                ask()
            assert refused.value.remedy == f"Move {newest.folder} away and pull again."
        path.write_bytes(whole)
    whole = first.data.read_bytes()
    first.data.write_bytes(whole[:40])
    with pytest.raises(StorageError, match=r"data\.parquet is damaged: "):
        rollback(settings, "lists", "r5", first.manifest.snapshot)
    assert settings.warehouse.read_bytes() == before
    for snapshot in (first, newest):
        snapshot.folder.rename(settings.data_dir / snapshot.folder.name)
    pull(settings, ["lists"], "r6")
    assert latest(settings.parquet_dir, "lists")
