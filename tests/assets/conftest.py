"""Dagster in tests: a small account, and a process reads the migrations of its databases once.

Each instance has two databases or three, and each run whose records are files has one more. All are new, so that they
are only marked as up to date; to find out what that is, Alembic reads 90 files each time.
"""

from functools import cache

import pytest
from alembic.script import ScriptDirectory
from beginnings import seeded

from pipelines.sandbox import Account

ScriptDirectory.from_config = cache(ScriptDirectory.from_config)  # type: ignore[method-assign] # of configurations, of which Dagster has three


@pytest.fixture
def account() -> Account:
    """A page of contacts: every pull and push reads all of them."""
    return seeded(200)
