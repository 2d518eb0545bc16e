"""What several rooms' tests share: an account, a server for it, settings that point at it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pipelines.sandbox import API_KEY, Account, Server, running, seed_account
from pipelines.settings import Settings, load_settings

# A machine that is busy with other tests is slow, which says nothing about the code.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the environment's settings, its proxies, or a .env file of the checkout."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TRACKLY_{name.upper()}", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def account() -> Account:
    """A small account: three pages of contacts on five lists."""
    return seed_account(contacts=2_500)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    """The account, served."""
    with running(account) as server:
        yield server


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Settings:
    """Settings for the served account, with a data directory of the test's own."""
    return settings_for(server.url, tmp_path / "data")


def settings_for(url: str, data_dir: Path, **more: Any) -> Settings:
    """Settings for a served account."""
    return load_settings(
        **{
            "api_key": API_KEY,
            "base_url": url,
            "data_dir": data_dir,
            "retry_seconds": 20.0,
            "settle_seconds": 0.0,
            **more,
        }
    )


@pytest.fixture
def settings_of() -> Callable[..., Settings]:
    """`settings_for`, for tests that serve an account of their own."""
    return settings_for
