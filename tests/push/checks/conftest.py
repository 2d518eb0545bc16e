"""An account of a few people, and what most tests of revenue begin with: sends that it has already."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from beginnings import Beginning, sends_pushed
from histories import sends_to, write_rows

from pipelines.push.run import push
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]
SENDS = 32


def _empty() -> Account:
    """The totals of all its people are read before each push of revenue; it has no revenue."""
    account = seed_account(contacts=50)
    account.revenue.clear()
    return account


def strangers(account: Account) -> list[Row]:
    """Contacts, no two of them with one number."""
    return list({row["phone_number"]: row for row in account.contacts()}.values())


@pytest.fixture
def account() -> Account:
    """A few people without revenue."""
    return _empty()


@pytest.fixture
def some_sends(account: Account) -> Callable[[int], list[Row]]:
    """Good sends, one after the other, to everybody in turn."""
    return partial(sends_to, strangers(account))


@pytest.fixture(scope="session")
def _sends_pushed(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Beginning:
    def sends(account: Account) -> list[Row]:
        return sends_to(strangers(account), SENDS)

    return sends_pushed(tmp_path_factory, "sends-to-a-few", settings_of, _empty, sends)


@pytest.fixture
def have_sends(account: Account, _sends_pushed: Beginning) -> Callable[[Settings], None]:
    """Bring the account and a data directory to where m000000 to m000031 have been sent, each to somebody else."""

    def have(settings: Settings) -> None:
        if not settings.ledger_url:
            _sends_pushed.restore(account, settings)
            return
        write_rows(
            settings.history / "sends.ndjson", sends_to(strangers(account), SENDS)
        )  # its ledger is new
        push(settings, ["sends"])

    return have
