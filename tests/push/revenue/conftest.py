"""What several tests of late revenue begin with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from beginnings import Beginning, beginning
from late_sales import empty_account, write_history

from pipelines.push.run import push
from pipelines.sandbox import Account, running
from pipelines.settings import Settings


@pytest.fixture(scope="session")
def _sends_to_forty(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Beginning:
    def make(folder: Path) -> Account:
        account = empty_account()
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            write_history(account, settings.history, 60, ["5"])
            (settings.history / "revenue.ndjson").unlink()
            push(settings, ["sends"])
        return account

    return beginning(tmp_path_factory, "sends-to-forty", make)


@pytest.fixture
def sends_to_forty(account: Account, settings: Settings, _sends_to_forty: Beginning) -> None:
    """The account is a small one and has 60 sends to 40 people already, through a ledger on SQLite."""
    _sends_to_forty.restore(account, settings)
