"""History files for the account of tests/conftest.py, and its state as the oracle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from histories import active_offer, sends_to, write_rows

from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[..., Path]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder that history is read from."""
    folder = tmp_path / "data" / "history"
    folder.mkdir(parents=True)
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
