"""Aborts connections, which ASGI cannot express: each request carries its transport."""

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEY = "transport"


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with its transport in the state of every request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: transport}


def abort(scope: Scope) -> None:
    """Drop the connection that a request came on, without an answer."""
    transport: asyncio.Transport = scope["state"][_KEY]
    transport.abort()
