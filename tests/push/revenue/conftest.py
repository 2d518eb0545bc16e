"""What several tests of late revenue begin with."""

from collections.abc import Callable
from typing import Any

import pytest
from beginnings import Beginning, sends_pushed
from late_sales import empty_account, sends_to_first

from pipelines.sandbox import Account
from pipelines.settings import Settings


@pytest.fixture(scope="session")
def _sends_to_forty(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Beginning:
    def sends(account: Account) -> list[dict[str, Any]]:
        return sends_to_first(account, 60)

    return sends_pushed(tmp_path_factory, "sends-to-forty", settings_of, empty_account, sends)


@pytest.fixture
def sends_to_forty(account: Account, settings: Settings, _sends_to_forty: Beginning) -> None:
    """The account is a small one and has 60 sends to 40 people already, through a ledger on SQLite."""
    _sends_to_forty.restore(account, settings)
