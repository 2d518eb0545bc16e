"""Writing through the client: what may be sent again, and what may not."""

import asyncio
import logging
from typing import Any

import pytest
from played_calls import ANSWER, BODY, play

from pipelines.errors import (
    AccessError,
    NotFoundError,
    OutcomeUnknown,
    RequestError,
    ServiceError,
    TooLargeError,
)
from pipelines.settings import load_settings
from pipelines.trackly.client import TracklyClient
from pipelines.trackly.imports import post_clicks, post_revenue, post_sends


@pytest.mark.parametrize(
    ("post", "path"),
    [(post_sends, b"sends"), (post_clicks, b"clicks"), (post_revenue, b"revenue")],
)
def test_an_import_posts_its_body_as_json(wire: Any, post: Any, path: bytes) -> None:
    """Each import call posts the body as it is, as JSON, to its own path."""
    reply, server = play(wire, post, wire.reply(ANSWER))
    assert server.heads[0].startswith(b"POST /api/v2/history/" + path + b" HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in server.heads[0]
    assert server.bodies == [BODY]
    assert (reply.value.success_count, reply.status) == (2, 200)


@pytest.mark.parametrize("post", [post_sends, post_revenue])
@pytest.mark.parametrize("status", [200, 201, 207, 400, 404, 409, 422, 429, 500, 503])
def test_counters_are_an_answer_on_any_status(wire: Any, post: Any, status: int) -> None:
    """A body that carries the counters is the answer, whatever the status, and is not asked for again."""
    body = {"success_count": 1, "error_count": 1, "errors": [{"index": 1, "code": "save_error"}]}
    reply, server = play(wire, post, wire.reply(body, status))
    assert (reply.value.error_count, reply.status, len(server.heads)) == (1, status, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AccessError), (403, AccessError), (404, NotFoundError), (413, TooLargeError), (400, RequestError)],
)
@pytest.mark.parametrize("post", [post_sends, post_revenue])
def test_refusals_are_final(wire: Any, post: Any, status: int, kind: type[Exception]) -> None:
    """A call that the vendor refuses in its own words was not carried out, and is not sent again."""
    error, server = play(wire, post, wire.reply({"error": "No", "code": "missing_records"}, status))
    assert (type(error), len(server.heads)) == (kind, 1)


AMBIGUOUS = {
    "500": lambda wire: wire.reply({"error": "oops", "code": "internal"}, 500),
    "502 of a proxy": lambda wire: wire.reply(b"<html>Bad Gateway</html>", 502),
    "503": lambda wire: wire.reply({"error": "overloaded"}, 503, Retry_After="1"),
    "408": lambda wire: wire.reply(b"", 408),
    "reset once the request was read": lambda wire: wire.reset,
    "closed without a reply": lambda wire: wire.cut(b""),
    "cut in the head": lambda wire: wire.cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut in the body": lambda wire: wire.cut(wire.reply(ANSWER)[:-5]),
    "cut without a length": lambda wire: wire.cut(b'HTTP/1.1 200 OK\r\n\r\n{"success_count": 2, "err'),
    "HTML with 200": lambda wire: wire.reply(b"<html>Welcome</html>"),
    "200 without counters": lambda wire: wire.reply({"ok": True}),
    "counters that are none": lambda wire: wire.reply({"success_count": "two"}),
    "no reply": lambda wire: wire.hang,
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_revenue_is_never_sent_again_on_a_doubt(wire: Any, naps: list[float], kind: str) -> None:
    """Once revenue may have been received, the call ends as OutcomeUnknown after one attempt."""
    error, server = play(wire, post_revenue, AMBIGUOUS[kind](wire), wire.reply(ANSWER), timeout_seconds=2.0)
    assert type(error) is OutcomeUnknown
    assert (len(server.heads), naps) == (1, [])
    assert "POST /history/revenue" in error.message
    assert "\n" not in str(error)
    assert error.sent_at is not None
    assert error.seconds > 0


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_sends_are_sent_again(wire: Any, naps: list[float], kind: str) -> None:
    """The API skips sends that it has, so the same failures are retried."""
    reply, server = play(wire, post_sends, AMBIGUOUS[kind](wire), wire.reply(ANSWER), timeout_seconds=2.0)
    assert (reply.attempts, reply.value.success_count, len(naps)) == (2, 2, 1)
    assert server.bodies == [BODY, BODY]


PAGES = {
    "html": lambda wire, status: wire.reply(b"<html>Sorry</html>", status, Content_Type="text/html"),
    "empty": lambda wire, status: wire.reply(b"", status),
    "AWS or Kong": lambda wire, status: wire.reply({"message": "Forbidden"}, status),
    "GCP": lambda wire, status: wire.reply({"error": {"code": 1, "message": "No"}}, status),
    "Spring": lambda wire, status: wire.reply({"error": "No", "status": status, "path": "/"}, status),
    "of another type": lambda wire, status: wire.reply(
        {"error": "No", "code": "unauthorized"}, status, Content_Type="text/plain"
    ),
    "an empty error": lambda wire, status: wire.reply({"error": " "}, status),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "status",
    [301, 302, 304, 307, 400, 401, 403, 404, 405, 407, 408, 409, 410, 413, 418, 429, 500, 502, 504, 520],
)
def test_a_gateways_page_proves_nothing(wire: Any, naps: list[float], status: int, page: str) -> None:
    """Whatever its status, a page without the API's own form leaves revenue in doubt after one attempt."""
    step = PAGES[page](wire, status) if status != 304 else wire.cut(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    error, server = play(wire, post_revenue, step, wire.reply(ANSWER))
    assert (type(error), error.status, len(server.heads), naps) == (OutcomeUnknown, status, 1, [])


@pytest.mark.parametrize("status", [302, 408, 500, 503])
def test_some_statuses_prove_nothing_in_any_form(wire: Any, status: int) -> None:
    """An error of the service, or a redirect, is no proof even in the API's own form."""
    error, _ = play(wire, post_revenue, wire.reply({"error": "No", "code": "internal_error"}, status))
    assert (type(error), error.status) == (OutcomeUnknown, status)


def test_a_gateways_limit_on_bodies_is_a_doubt_for_revenue(wire: Any) -> None:
    """A bare 413 tells nothing of revenue, but that less at once may pass; for sends that is all it takes."""
    page = wire.reply(b"<html>", 413)
    assert type(play(wire, post_revenue, page)[0]) is OutcomeUnknown
    assert type(play(wire, post_sends, page)[0]) is TooLargeError


def test_a_proxys_log_in_is_a_proof(wire: Any) -> None:
    """A proxy that asks for a log-in has passed nothing on."""
    error, _ = play(wire, post_revenue, wire.reply(b"", 407, Proxy_Authenticate="Basic"))
    assert type(error) is AccessError


def test_a_refusal_with_bad_bytes_is_a_refusal(wire: Any) -> None:
    """A byte order mark or a bad byte does not turn the API's own refusal into a doubt."""
    body = b'\xef\xbb\xbf{"error": "Invalid \xff key", "code": "invalid_api_key"}\n'
    error, server = play(wire, post_revenue, wire.reply(body, 401))
    assert (type(error), len(server.heads)) == (AccessError, 1)


def test_429_is_a_refusal(wire: Any, naps: list[float]) -> None:
    """429 says that the call was not taken, so that revenue too is sent again after the wait asked for."""
    slow = wire.reply({"error": "slow down"}, 429, Retry_After="3")
    reply, _ = play(wire, post_revenue, slow, slow, wire.reply(ANSWER))
    assert (reply.attempts, naps) == (3, [3.0, 3.0])


def test_429_beyond_the_bounds_is_not_a_doubt(wire: Any) -> None:
    """Revenue that was only ever refused with 429 ends as ServiceError: nothing of it was carried out."""
    error, _ = play(wire, post_revenue, wire.reply({"error": "slow down"}, 429), retry_seconds=0)
    assert type(error) is ServiceError


@pytest.mark.parametrize("post", [post_sends, post_revenue])
def test_a_refused_connection_is_tried_again(wire: Any, naps: Any, post: Any) -> None:
    """Nothing was received while connections were refused: revenue too goes out once the host is back."""

    async def run() -> None:
        port = wire.closed_port()
        base_url = f"http://127.0.0.1:{port}/api/v2"
        settings = load_settings(api_key=wire.KEY, base_url=base_url, _env_file=None)
        up = asyncio.Event()

        async def host() -> None:
            async with wire.serve(wire.reply(ANSWER), port=port) as server:
                up.set()
                await done.wait()
                assert len(server.heads) == 1

        async def during() -> None:
            if len(naps) == 2:
                group.create_task(host())
                await up.wait()

        done = asyncio.Event()
        naps.during = during
        async with asyncio.TaskGroup() as group, TracklyClient(settings) as client:
            reply = await post(client, BODY)
            done.set()
        assert (reply.attempts, len(naps)) == (3, 2)

    asyncio.run(run())


@pytest.mark.parametrize("post", [post_sends, post_revenue])
def test_a_host_that_stays_away_is_not_a_doubt(wire: Any, naps: list[float], post: Any) -> None:
    """A write that never reached the host ends as ServiceError, not as OutcomeUnknown."""
    url = f"http://127.0.0.1:{wire.closed_port()}/api/v2"

    async def run() -> None:
        async with TracklyClient(load_settings(api_key=wire.KEY, base_url=url, _env_file=None)) as client:
            await post(client, BODY)

    with pytest.raises(ServiceError, match="after 6 attempts") as caught:
        asyncio.run(run())
    assert (type(caught.value), len(naps)) == (ServiceError, 5)


def test_revenue_always_opens_a_connection_of_its_own(wire: Any) -> None:
    """A connection that was kept alive may be dead, and dying on it proves nothing: revenue uses none."""

    async def run(post: Any) -> int:
        async with wire.serve(wire.reply(ANSWER)) as server, TracklyClient(server.settings()) as client:
            for _ in range(3):
                await post(client, BODY)
            return int(server.connections)

    assert (asyncio.run(run(post_sends)), asyncio.run(run(post_revenue))) == (1, 3)


def test_nothing_of_the_body_gets_out(wire: Any, naps: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Records, key and reply bodies are in no log record and no error."""
    caplog.set_level(logging.DEBUG)
    steps = (wire.reply({"error": "no", "message": "m1"}, 500), wire.reply(b"secret +15551234567", 200))
    error, _ = play(wire, post_clicks, *steps, retry_seconds=1)
    text = caplog.text + repr(error) + str(error)
    assert naps
    for secret in (wire.KEY, "message_id", "secret", "5551234567"):
        assert secret not in text
