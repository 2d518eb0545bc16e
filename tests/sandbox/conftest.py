"""Clients of the account of a test, and of one that all tests of a module write to."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from sandbox.plain_clients import client

from pipelines.sandbox import Account, Options, Server, running, seed_account

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """It has the account's key, and asks version 2 of the API."""
    with client(server.url) as asking:
        yield asking


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Account, httpx.Client]]:
    """One account for all tests of a module, each of which uses rows of its own."""
    account = seed_account(contacts=60)
    account.clock = lambda: NOW
    with running(account) as server, client(server.url) as http:
        yield account, http


@pytest.fixture
def written(served: tuple[Account, httpx.Client]) -> Iterator[tuple[Account, httpx.Client]]:
    """That account with the usual options, and its client."""
    served[0].options = Options()
    yield served
    served[0].options = Options()
