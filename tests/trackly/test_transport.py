"""What exceptions of the wire prove."""

import asyncio
import ssl
from typing import Any

import httpx
import pytest

from pipelines.errors import ServiceError
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.failures import Kind
from pipelines.trackly.imports import post_revenue
from pipelines.trackly.transport import SentMark, failure_of_wire

BEFORE = {
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
    "LocalProtocolError",
}
WIRE = sorted(
    (cls for cls in vars(httpx).values() if isinstance(cls, type) and issubclass(cls, httpx.TransportError)),
    key=lambda cls: cls.__name__,
)


def began() -> SentMark:
    mark = SentMark()
    mark.body_began = True
    return mark


@pytest.mark.parametrize("kind", WIRE, ids=lambda cls: cls.__name__)
def test_only_errors_before_sending_prove_it(kind: type[httpx.TransportError]) -> None:
    """Once a body began to leave, only the exceptions that come before sending count as a proof."""
    expected = Kind.UNREACHABLE if kind.__name__ in BEFORE else Kind.BROKEN
    assert failure_of_wire(kind("x"), began()).kind is expected
    assert failure_of_wire(kind("x"), None).kind is expected


@pytest.mark.parametrize("kind", WIRE, ids=lambda cls: cls.__name__)
def test_a_body_that_never_began_is_a_proof(kind: type[httpx.TransportError]) -> None:
    """While not a byte of the body was written, nothing can have been carried out."""
    assert failure_of_wire(kind("x"), SentMark()).kind is Kind.UNREACHABLE


def test_errors_that_httpx_lets_through_prove_nothing() -> None:
    """A TLS error in the middle of a reply is no proof."""
    failure = failure_of_wire(ssl.SSLError(1, "[SSL: BAD_RECORD] x"), began())
    assert failure.kind is Kind.BROKEN


def test_a_failed_handshake_is_a_proof(wire: Any, naps: list[float]) -> None:
    """TLS that fails means that nothing was sent, so that revenue is tried again, and the error says TLS."""

    async def not_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> None:
        async with wire.serve() as server:
            listener = await asyncio.start_server(not_tls, "127.0.0.1", 0)
            port = listener.sockets[0].getsockname()[1]
            try:
                async with TracklyClient(server.settings(base_url=f"https://127.0.0.1:{port}")) as client:
                    await post_revenue(client, b"{}")
            finally:
                listener.close()

    with pytest.raises(ServiceError, match="TLS failed") as caught:
        asyncio.run(run())
    assert (type(caught.value), len(naps)) == (ServiceError, 5)


def test_the_mark_is_set_by_the_body_alone() -> None:
    """Connecting and writing the head leave the mark unset; the body sets it."""
    mark = SentMark()
    for event in ("connection.connect_tcp.started", "http11.send_request_headers.complete"):
        asyncio.run(mark(event, {}))
    assert not mark.body_began
    asyncio.run(mark("http11.send_request_body.started", {}))
    assert mark.body_began
