"""Aborting connections, which ASGI has no word for: the server's protocol remembers its transports."""

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with its transports on record by the client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        _open[transport.get_extra_info("peername")[:2]] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has gone."""
        for client, transport in list(_open.items()):
            if transport is self.transport:
                del _open[client]
        super().connection_lost(exc)


def abort(scope: Scope) -> None:
    """Drop the connection that a request came on, without an answer."""
    transport = _open.get(tuple(scope["client"]))
    if transport is not None:
        transport.abort()
