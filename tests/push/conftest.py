"""History files for the account of tests/conftest.py, and its state as the oracle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from beginnings import Beginning, seeded, sends_pushed
from histories import active_offer, sends_to, write_rows

from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def account() -> Account:
    """A page of contacts: the totals of all of them are read before each push of revenue, and after a lost call."""
    return seeded(400)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder that history is read from."""
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def write(history: Path) -> Write:
    """Write rows as NDJSON under a name."""

    def write(name: str, rows: list[Row]) -> Path:
        return write_rows(history / name, rows)

    return write


@pytest.fixture
def some_sends(account: Account) -> Callable[[int], list[Row]]:
    """Good sends to contacts of the account."""
    return partial(sends_to, account.contacts())


@pytest.fixture
def offer(account: Account) -> str:
    """An active offer."""
    return active_offer(account)


def posts(account: Account) -> int:
    """How many writes the account has seen."""
    return sum(request.method == "POST" for request in account.log)


@pytest.fixture
def posted(account: Account) -> Callable[[], int]:
    """How many writes the account has seen so far."""
    return lambda: posts(account)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings with a ledger on each of the two databases."""
    if request.param == "sqlite":
        return settings
    return settings.model_copy(update={"ledger_url": request.getfixturevalue("database")})


MANY = 1_300


@pytest.fixture(scope="session")
def _many_sends(tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]) -> Beginning:
    def begun() -> Account:
        account = seeded(400)
        account.revenue.clear()
        return account

    def sends(account: Account) -> list[Row]:
        return sends_to(account.contacts(), MANY)

    return sends_pushed(tmp_path_factory, "many-sends", settings_of, begun, sends)


@pytest.fixture
def many_sends(account: Account, settings: Settings, _many_sends: Beginning) -> int:
    """An account without revenue that has m000000 to m001299 through us; how many these are."""
    _many_sends.restore(account, settings)
    account.log.clear()
    return MANY
