"""What the connection proves about a request, what bounds its time, and whom it is for."""

import asyncio
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from peers import Seen, serving
from played_calls import ANSWER, BODY, PAGE, play, read

from pipelines.errors import OutcomeUnknown, ServiceError, SettingsError
from pipelines.settings import load_settings
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.failures import Kind
from pipelines.trackly.imports import post_revenue, post_sends
from pipelines.trackly.post_elsewhere import post_json
from pipelines.trackly.transport.connection_errors import Sent, failure_of_wire

_PLACE = ConnectionKey("host", 443, True, True, None, None, None)

ERRORS = [
    TimeoutError(),
    ssl.SSLError(1, "[SSL: BAD_RECORD] x"),
    ConnectionResetError(),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError(),
    aiohttp.ClientOSError(),
    aiohttp.SocketTimeoutError(),
    aiohttp.ConnectionTimeoutError(),
    aiohttp.ClientConnectionError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_once_a_body_began_nothing_is_a_proof(error: Exception) -> None:
    """Whatever the exception, a body that began to leave may have been carried out."""
    assert failure_of_wire(error, Sent(body_began=True), "host:443", None).kind is Kind.BROKEN


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        (aiohttp.ClientConnectorDNSError, OSError("Name or service not known"), "host name was not found"),
        (aiohttp.ClientConnectorError, ConnectionRefusedError(), "the connection was refused"),
        (aiohttp.ClientConnectorError, TimeoutError(), "no connection within the time-out"),
        (aiohttp.ClientConnectorError, OSError("No route to host"), "the connection failed"),
    ],
)
def test_before_a_connection_the_reason_is_named(kind: Any, cause: OSError, words: str) -> None:
    """And nothing of the request has left."""
    error = kind(_PLACE, cause)
    error.__cause__ = cause
    failure = failure_of_wire(error, Sent(), "host:443", None)
    assert failure.kind is Kind.UNREACHABLE
    assert failure.reason.endswith(words)


def test_a_handshake_that_breaks_is_a_proof(wire: Any, naps: list[float]) -> None:
    """A connection that ends before TLS stands has carried nothing, so that revenue is tried again."""

    def handle(connection: socket.socket, _: Seen) -> None:
        connection.recv(1)
        connection.shutdown(socket.SHUT_RDWR)

    async def run(url: str) -> None:
        async with TracklyClient(load_settings(api_key=wire.KEY, base_url=url, _env_file=None)) as client:
            await post_revenue(client, BODY)

    with serving(handle) as seen, pytest.raises(ServiceError) as caught:
        asyncio.run(run(f"https://127.0.0.1:{seen.port}"))
    assert type(caught.value) is ServiceError
    assert (seen.connections, len(naps)) == (6, 5)


def test_an_answer_before_the_body_was_read_proves_nothing(wire: Any) -> None:
    """A gateway that answers early may have passed on what it had: revenue is in doubt, sends are too large."""
    large = b'{"records": ["' + b"x" * 4_000_000 + b'"]}'

    def handle(connection: socket.socket, _: Seen) -> None:
        connection.recv(1_000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        while connection.recv(65536):
            pass

    async def run(url: str, post: Any) -> Any:
        settings = load_settings(api_key=wire.KEY, base_url=url, timeout_seconds=5, _env_file=None)
        async with TracklyClient(settings) as client:
            try:
                return await post(client, large)
            except Exception as error:  # noqa: BLE001 - handed to the test
                return error

    with serving(handle) as seen:
        revenue = asyncio.run(run(f"http://127.0.0.1:{seen.port}", post_revenue))
        sends = asyncio.run(run(f"http://127.0.0.1:{seen.port}", post_sends))
    assert (type(revenue), revenue.status) == (OutcomeUnknown, 413)
    assert type(sends).__name__ == "TooLargeError"


def drip(content: bytes) -> Any:
    """A reply that never falls silent and never ends in time."""

    async def step(server: Any, writer: asyncio.StreamWriter) -> None:
        for byte in content:
            if server.gate.is_set():
                break
            writer.write(bytes([byte]))
            try:
                await writer.drain()
            except ConnectionError:
                break
            try:
                await asyncio.wait_for(server.gate.wait(), 0.05)
            except TimeoutError:
                continue

    return step


@pytest.mark.parametrize("call", [read, post_sends, post_revenue])
def test_a_reply_that_drips_is_cut_off(wire: Any, call: Any) -> None:
    """The total time of one request is bounded, also where there is always another byte within the time-out."""
    slow = drip(wire.reply(PAGE | ANSWER | {"x": "y" * 100_000}))
    error, server = play(wire, call, slow, timeout_seconds=0.2, retry_seconds=0)
    assert type(error) is (OutcomeUnknown if call is post_revenue else ServiceError)
    assert "within the time-out" in error.message
    assert len(server.heads) == 1
    if call is post_revenue:
        assert error.seconds >= 0.4
        assert error.sent_at is not None


def test_cancelling_a_reply_that_drips_is_prompt(wire: Any) -> None:
    """A revenue call whose reply drips ends when it is cancelled, long before its limit."""

    async def run() -> None:
        slow = drip(wire.reply({"x": "y" * 100_000}))
        async with (
            wire.serve(slow) as server,
            TracklyClient(server.settings(timeout_seconds=300)) as client,
        ):
            task = asyncio.create_task(post_revenue(client, BODY))
            await server.arrivals.get()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 60)

    asyncio.run(run())


def test_netrc_is_not_read(wire: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-in for the host in ~/.netrc goes nowhere, on no path."""
    (tmp_path / ".netrc").write_text("default login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for call, reply in ((read, PAGE), (post_sends, ANSWER), (post_revenue, ANSWER)):
        _, server = play(wire, call, wire.reply(reply))
        assert b"authorization" not in server.heads[0].lower()

    async def alert() -> bytes:
        async with wire.serve(wire.reply({})) as server:
            url = f"http://127.0.0.1:{server.port}/hook"
            assert await asyncio.to_thread(post_json, url, b"{}", 5) == ""
            return bytes(server.heads[0])

    assert b"authorization" not in asyncio.run(alert()).lower()


def test_settings_made_by_hand_are_checked_too(wire: Any) -> None:
    """A base URL that did not pass through the settings' checks is refused by the client."""
    settings = load_settings(api_key=wire.KEY, base_url="https://a.example/api/v2", _env_file=None)
    with pytest.raises(SettingsError, match="v1"):
        TracklyClient(settings.model_copy(update={"base_url": "https://a.example/api/v1"}))
