"""History files for the account of tests/conftest.py, and its state as the oracle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
        path = history / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def some_sends(account: Account) -> Callable[[int], list[Row]]:
    """Good sends to contacts of the account."""
    contacts = account.contacts()

    def some(number: int) -> list[Row]:
        return [
            {
                "id": f"m{n:06}",
                "to_number": contacts[n % len(contacts)]["phone_number"],
                "timestamp": "2024-05-01T10:00:00Z",
                "list_number": contacts[n % len(contacts)]["list_number"],
            }
            for n in range(number)
        ]

    return some


@pytest.fixture
def offer(account: Account) -> str:
    """An active offer."""
    return next(str(offer["id"]) for offer in account.offers if offer["status"] == "active")


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
