"""Clients of an account on loopback, without the authorities of TLS: to load them takes longer than most tests."""

import ssl
from typing import Any

import httpx

from pipelines.sandbox import API_KEY

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
WITHOUT_KEY = httpx.Client(verify=_NO_AUTHORITIES, limits=httpx.Limits(max_keepalive_connections=0))
"""It asks any account, each by its URL, and leaves no connection open."""


def client(url: str, **more: Any) -> httpx.Client:
    """A client with the account's key.

    Args:
        url: what paths are of.
        more: options of `httpx.Client`.
    """
    return httpx.Client(base_url=url, headers={"X-Api-Key": API_KEY}, verify=_NO_AUTHORITIES, **more)
