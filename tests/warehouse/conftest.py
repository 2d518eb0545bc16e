"""What the warehouse's tests share: an account that history was moved into, pulled, and its warehouse."""

import pickle
from pathlib import Path

import pytest
from beginnings import Beginning, beginning
from oracle import key_of

from pipelines.pull.run import pull
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, running, seed_account, write_history
from pipelines.settings import Settings, load_settings
from schemas.registry import PULLED, PUSHED


@pytest.fixture(scope="session")
def moved_in(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    """An account that history was moved into, and then pulled, with a contact gone in between."""

    def make(folder: Path) -> Account:
        account = seed_account(contacts=300)
        with running(account) as server:
            settings = load_settings(
                api_key=API_KEY, base_url=server.url, data_dir=folder / "data", settle_seconds=0
            )
            write_history(account, settings.history, sends=200)
            pull(settings, ["contacts", "lists", "offers", "revenue"], "run-1")
            push(settings, list(PUSHED))
            account.remove_contact(key_of(account.contacts()[0]))
            pull(settings, list(PULLED), "run-2")
        return account

    return beginning(tmp_path_factory, "moved_in", make)


@pytest.fixture(scope="module")
def moved(moved_in: Beginning) -> tuple[Account, Settings]:
    """That account, and settings with its data directory, for tests that only read."""
    account: Account = pickle.loads(moved_in.account)  # noqa: S301 - our own
    return account, load_settings(api_key=API_KEY, data_dir=moved_in.data_dir)
