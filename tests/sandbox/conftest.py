"""A client of the account of a test."""

from collections.abc import Iterator

import httpx
import pytest

from pipelines.sandbox import API_KEY, Server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """It has the account's key, and asks version 2 of the API."""
    with httpx.Client(base_url=server.url, headers={"X-Api-Key": API_KEY}) as client:
        yield client
