"""Reading through the client: what a reply tells, what is tried again, and what is final."""

import asyncio
import gzip
import re
from typing import Any

import pytest

from pipelines.errors import (
    AccessError,
    NotEnabledError,
    NotFoundError,
    RequestError,
    ServiceError,
    TooLargeError,
)
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.replies.pages import get_page

PAGE = {"contacts": [{"phone_number": "+15551234567"}], "pagination": {"page": 1, "total": 1}}


def play(wire: Any, *steps: Any, **overrides: Any) -> tuple[Any, Any]:
    """Serve the steps to one read; what came of it, and the server."""

    async def run() -> tuple[Any, Any]:
        async with wire.serve(*steps) as server, TracklyClient(server.settings(**overrides)) as client:
            try:
                came: Any = await get_page(client, "/contacts", "contacts", page=1, per_page=1000)
            except Exception as error:  # noqa: BLE001 - handed to the test
                came = error
            assert (client.requests, client.retries) == (len(server.heads), len(server.heads) - 1)
            return came, server

    return asyncio.run(run())


def test_a_request_carries_what_the_api_asks_for(wire: Any) -> None:
    """A read asks below the base URL with the key, Accept, and our name and version."""
    _, server = play(wire, wire.reply(PAGE))
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /api/v2/contacts?page=1&per_page=1000 HTTP/1.1"
    assert f"X-Api-Key: {wire.KEY}" in lines
    assert "Accept: application/json" in lines
    assert any(re.fullmatch(r"User-Agent: trackly-sync/\d.*", line) for line in lines)


def test_a_reply_says_how_it_came(wire: Any) -> None:
    """A reply has the page, its status, its size, two aware instants in order, and the attempts."""
    body = wire.reply(PAGE).partition(b"\r\n\r\n")[2]
    reply, _ = play(wire, wire.reply(PAGE))
    assert (reply.value.rows, reply.value.total) == (b'[{"phone_number": "+15551234567"}]', 1)
    assert (reply.status, reply.size, reply.attempts) == (200, len(body), 1)
    assert reply.sent_at.utcoffset() is not None
    assert reply.sent_at <= reply.received_at


def test_size_is_that_of_the_decompressed_body(wire: Any) -> None:
    """A compressed body is decompressed before it is read and counted."""
    body = wire.reply(PAGE).partition(b"\r\n\r\n")[2]
    reply, _ = play(wire, wire.reply(gzip.compress(body), Content_Encoding="gzip"))
    assert reply.size == len(body)


TRANSIENT = {
    "500": lambda wire: wire.reply({"error": "oops"}, 500),
    "502 of a proxy": lambda wire: wire.reply(b"<html>Bad Gateway</html>", 502),
    "408": lambda wire: wire.reply(b"", 408),
    "429": lambda wire: wire.reply({"error": "slow down"}, 429),
    "reset": lambda wire: wire.reset,
    "closed without a reply": lambda wire: wire.cut(b""),
    "cut in the head": lambda wire: wire.cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut in the body": lambda wire: wire.cut(wire.reply(PAGE)[:-5]),
    "cut without a length": lambda wire: wire.cut(b'HTTP/1.1 200 OK\r\n\r\n{"contacts": [{"a"'),
    "not HTTP": lambda wire: wire.cut(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "HTML with 200": lambda wire: wire.reply(b"<html>Maintenance</html>"),
    "empty with 200": lambda wire: wire.reply(b""),
    "other shape": lambda wire: wire.reply({"data": []}),
    "damaged compression": lambda wire: wire.reply(b"\x1f\x8bnot gzip", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_transient_failures_are_tried_again(wire: Any, naps: list[float], kind: str) -> None:
    """A read that fails in passing is made again after growing waits, and then answers."""
    bad = TRANSIENT[kind](wire)
    reply, server = play(wire, bad, bad, wire.reply(PAGE))
    assert (reply.attempts, len(server.heads)) == (3, 3)
    assert 0.25 <= naps[0] <= 0.75
    assert 0.5 <= naps[1] <= 1.0


@pytest.mark.parametrize("kind", TRANSIENT)
def test_lasting_failures_become_a_service_error(wire: Any, kind: str) -> None:
    """A read that goes on failing gives a one-line ServiceError that names the host and the request."""
    error, server = play(wire, TRANSIENT[kind](wire), retry_seconds=0)
    assert type(error) is ServiceError
    assert f"GET /contacts page=1 per_page=1000 at 127.0.0.1:{server.port}" in str(error)
    assert "\n" not in str(error)
    assert error.remedy


def test_attempts_at_a_host_that_answers_badly_are_bounded(wire: Any, naps: list[float]) -> None:
    """Ten attempts, with no wait above eight seconds."""
    error, server = play(wire, wire.reply({}, 500))
    assert (len(server.heads), len(naps)) == (10, 9)
    assert max(naps) <= 8
    assert "after 10 attempts" in str(error)


def test_a_reply_that_does_not_come_is_a_time_out(wire: Any) -> None:
    """A read whose reply does not come within the time-out fails as a ServiceError that says so."""
    error, _ = play(wire, wire.hang, timeout_seconds=1.0, retry_seconds=0)
    assert type(error) is ServiceError
    assert "did not come within the time-out" in str(error)


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", 60.0)])
def test_retry_after_is_honoured_and_capped(wire: Any, naps: list[float], asked: str, waited: float) -> None:
    """The service's own wait is kept to, up to a minute."""
    play(wire, wire.reply({"error": "slow down"}, 429, Retry_After=asked), wire.reply(PAGE))
    assert naps == [waited]


def test_retry_after_beyond_the_bound_gives_up_at_once(wire: Any, naps: list[float]) -> None:
    """A wait that does not fit the total bound is not begun."""
    error, server = play(wire, wire.reply({}, 503, Retry_After="30"), retry_seconds=5)
    assert (type(error), len(server.heads), naps) == (ServiceError, 1, [])


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"error": "Invalid API key", "code": "invalid_api_key"}, AccessError, "TRACKLY_API_KEY"),
        (403, {"error": "Account suspended"}, AccessError, "suspended"),
        (403, {"error": "No", "code": "sms_not_enabled"}, NotEnabledError, "enable sms"),
        (404, {"error": "Not found"}, NotFoundError, "/api/v2"),
        (405, {"error": "Method not allowed", "code": "method_not_allowed"}, NotFoundError, "/api/v2"),
        (413, {"error": "Too big", "code": "too_many_records"}, TooLargeError, "too large"),
        (
            400,
            {"error": "Bad per_page", "message": "at most 1000"},
            RequestError,
            "Bad per_page - at most 1000",
        ),
        (422, {"error": "No", "code": "x", "details": [1]}, RequestError, "status 422"),
    ],
)
def test_refusals_are_final(wire: Any, status: int, body: object, kind: type[Exception], words: str) -> None:
    """A refusal is raised at once, with the vendor's words and what to do."""
    error, server = play(wire, wire.reply(body, status))
    assert (type(error), len(server.heads)) == (kind, 1)
    assert words in str(error)
    names_it = str(error).startswith("GET /contacts page=1 per_page=1000 at 127.0.0.1")
    assert names_it == (status != 401), "a key that is refused is so for every path"


PAGES = {
    "html": b"<html><h1>Not here</h1></html>",
    "empty": b"",
    "AWS or Kong": {"message": "Forbidden"},
    "an object": {"error": {"code": 403, "message": "Forbidden"}},
    "Spring": {"timestamp": 1, "path": "/x", "status": 403, "error": "Forbidden", "requestId": "1"},
    "an OAuth proxy": {"error": "invalid_token", "error_description": "expired"},
    "FastAPI": {"detail": "Not Found"},
}


@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, RequestError),
        (400, RequestError),
        (401, ServiceError),
        (403, ServiceError),
        (404, NotFoundError),
        (405, NotFoundError),
        (418, RequestError),
    ],
)
def test_a_page_of_a_gateway_is_not_the_apis_word(
    wire: Any, naps: list[float], status: int, body: object, kind: type[Exception]
) -> None:
    """A reply without the API's own form is asked for again a few times, and then named as a gateway's."""
    error, server = play(wire, wire.reply(body, status))
    assert (type(error), len(server.heads), len(naps)) == (kind, 4, 3)
    assert "proxy" in error.message
    assert f"status {status}" in error.message
    assert "API key" not in str(error)
    assert "\n" not in str(error)
    reply, _ = play(wire, wire.reply(body, status), wire.reply(PAGE))
    assert reply.attempts == 2


def test_json_of_another_content_type_is_a_gateways(wire: Any, naps: list[float]) -> None:  # noqa: ARG001 - no waiting
    """A body that nginx returns from its configuration has a type of its own."""
    body = wire.reply({"error": "Unauthorized", "code": "unauthorized"}, 401, Content_Type="text/plain")
    error, _ = play(wire, body)
    assert type(error) is ServiceError


def test_a_gateway_that_limits_requests_is_waited_for(wire: Any, naps: list[float]) -> None:
    """A bare 429 is waited for as the API's own is, for as long as it asks."""
    slow = wire.reply(b"<html>", 429, Retry_After="3")
    reply, _ = play(wire, *[slow] * 6, wire.reply(PAGE))
    assert (reply.attempts, naps) == (7, [3.0] * 6)


def test_a_gateways_limit_on_bodies_is_named_at_once(wire: Any) -> None:
    """A bare 413 is final: the same body would meet it again."""
    error, server = play(wire, wire.reply(b"<html>", 413))
    assert (type(error), len(server.heads)) == (TooLargeError, 1)
    assert "client_max_body_size" in error.remedy


def test_a_proxys_log_in_is_named_at_once(wire: Any) -> None:
    """A 407 with a challenge is the proxy's, and repeating the request is useless."""
    error, server = play(wire, wire.reply(b"", 407, Proxy_Authenticate='Basic realm="x"'))
    assert (type(error), len(server.heads)) == (AccessError, 1)
    assert "proxy" in error.message
    assert "HTTPS_PROXY" in error.remedy


def test_a_redirect_is_not_followed(wire: Any) -> None:
    """A redirect is a RequestError that names the base URL setting and the host, and no path."""
    moved = wire.reply(b"", 301, Location="https://api.example.com/v2/secret?x=1")
    error, _ = play(wire, moved, retry_seconds=0)
    assert type(error) is RequestError
    assert "TRACKLY_BASE_URL" in error.remedy
    assert "https://api.example.com)" in error.message
