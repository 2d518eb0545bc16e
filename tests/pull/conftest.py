"""What the tests of pulls begin with: an account of two pages of contacts, and what a first pull of it leaves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from beginnings import first_pulls, seeded

from pipelines.sandbox import Account
from pipelines.settings import Settings

CONTACTS = 1_100


@pytest.fixture
def account() -> Account:
    """A small account: two pages of contacts on five lists."""
    return seeded(CONTACTS)


@pytest.fixture(scope="session")
def first_pull(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings]
) -> Callable[[tuple[str, ...]], Path]:
    """Makes the data directory that the first pull of it leaves, as the run r1; each is made once."""
    return first_pulls(tmp_path_factory, "two_pages", CONTACTS, settings_of)
