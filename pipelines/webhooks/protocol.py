"""uvicorn's HTTP/1.1 with a bound on how long a request's head may take, and on connections: it has neither.

What does not belong here: bodies (`receive`).
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
MOST_CONNECTIONS = 512
"""Fewer than the files that a process may have open by default, which are 1,024."""


class Protocol(H11Protocol):
    """One connection; it is closed when the head of a request is not there in time."""

    head_seconds = HEAD_SECONDS
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._let_be()

    def _watch(self) -> None:
        """Begin to wait for a head, or end that when it is there."""
        if self.conn.their_state is not h11.IDLE:
            self._let_be()
        elif self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def _let_be(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
