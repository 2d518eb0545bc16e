"""The client as a whole: its connections, its bounds, its lifetime, and what never leaves it."""

import asyncio
import logging
from typing import Any

import pytest

from pipelines.errors import AccessError, ServiceError, SettingsError
from pipelines.settings import Settings, load_settings
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.trackly.replies.pages import get_page

PAGE = {"contacts": [{"phone_number": "+15551234567"}], "pagination": {"page": 1, "total": 1}}


def settings_of_closed_port(wire: Any) -> Settings:
    url = f"http://127.0.0.1:{wire.closed_port()}/api/v2"
    return load_settings(api_key=wire.KEY, base_url=url, _env_file=None)


def test_connections_are_kept_alive(wire: Any) -> None:
    """Reads one after the other share one connection."""

    async def run() -> None:
        async with wire.serve(wire.reply(PAGE)) as server, TracklyClient(server.settings()) as client:
            for number in range(5):
                await get_page(client, "/contacts", "contacts", page=number + 1)
            assert (len(server.heads), server.connections) == (5, 1)

    asyncio.run(run())


def test_concurrency_is_bounded(wire: Any) -> None:
    """No more requests are under way than the setting allows, and as many are."""

    async def run() -> None:
        async with wire.serve(wire.gated(wire.reply(PAGE))) as server:
            async with TracklyClient(server.settings(concurrency=3)) as client, asyncio.TaskGroup() as group:
                for number in range(10):
                    group.create_task(get_page(client, "/contacts", "contacts", page=number + 1))
                for _ in range(3):
                    await server.arrivals.get()
                await asyncio.sleep(0.02)
                server.gate.set()
            assert (len(server.heads), server.most_under_way, server.connections) == (10, 3, 3)

    asyncio.run(run())


def test_every_attempt_takes_its_turn(wire: Any, naps: list[float]) -> None:  # noqa: ARG001 - no waiting
    """The ceiling on requests per second counts attempts, retries included."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1

    async def run() -> None:
        steps = (wire.reply({}, 503), wire.reply(PAGE))
        async with wire.serve(*steps) as server, TracklyClient(server.settings()) as client:
            client._pace.turn = turn  # type: ignore[method-assign]
            await get_page(client, "/contacts", "contacts", page=1)

    asyncio.run(run())
    assert turns == 2


def test_an_unreachable_host_is_given_up_soon(wire: Any, naps: list[float]) -> None:
    """A host that refuses connections is given up after six attempts and about ten seconds."""

    async def run() -> None:
        async with TracklyClient(settings_of_closed_port(wire)) as client:
            await get_page(client, "/lists", "lists")

    with pytest.raises(ServiceError, match=r"after 6 attempts \(the connection was refused\)") as caught:
        asyncio.run(run())
    assert "TRACKLY_BASE_URL" in caught.value.remedy
    assert 7 <= sum(naps) <= 12


def test_a_mistake_of_a_reader_is_not_hidden(wire: Any) -> None:
    """An exception other than Unreadable goes through as it is, without a second attempt."""

    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    async def run() -> None:
        async with wire.serve(wire.reply(PAGE)) as server, TracklyClient(server.settings()) as client:
            with pytest.raises(ZeroDivisionError):
                await client.get("/contacts", {}, broken)
            assert len(server.heads) == 1

    asyncio.run(run())


def test_cancelling_is_prompt(wire: Any) -> None:
    """A cancelled read ends with CancelledError, is not tried again, and gives its place back."""

    async def run() -> None:
        steps = (wire.hang, wire.reply(PAGE))
        async with wire.serve(*steps) as server, TracklyClient(server.settings(concurrency=1)) as client:
            task = asyncio.create_task(get_page(client, "/contacts", "contacts"))
            await server.arrivals.get()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await get_page(client, "/contacts", "contacts")).attempts == 1
            assert client.retries == 0

    asyncio.run(run())


def test_neither_key_nor_phone_numbers_get_out(
    wire: Any, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Key and phone numbers are in no log record, error or repr, even where the vendor quotes them."""
    caplog.set_level(logging.DEBUG)
    refusal = {"error": f"Key {wire.KEY} may not see +1 (555) 123-4567", "code": "unauthorized"}

    def unreadable(_: bytes) -> None:
        raise Unreadable("always")

    async def run() -> list[str]:
        seen = []
        steps = (wire.reply({}, 500), wire.reply(PAGE), wire.reply(refusal, 401))
        async with wire.serve(*steps) as server, TracklyClient(server.settings()) as client:
            for path in ("/contacts/%2B15551234567", "/contacts/+15551234567"):
                with pytest.raises((AccessError, ServiceError)) as caught:
                    await client.get(path, {"list_number": "+15551234567"}, unreadable)
                seen += [repr(caught.value), str(caught.value), str(caught.value.__cause__)]
            return [*seen, repr(client), str(vars(client))]

    texts = [*asyncio.run(run()), *(record.getMessage() for record in caplog.records), caplog.text]
    assert len(naps) == 2
    assert any("GET /contacts/[phone]" in text and "attempt 1 failed" in text for text in texts)
    for text in texts:
        assert wire.KEY not in text
        assert "5551234567" not in text
        assert "123-4567" not in text


def test_a_client_needs_a_key_and_a_url(wire: Any) -> None:
    """A missing key or a base URL that is none is a SettingsError before anything is sent."""
    settings = settings_of_closed_port(wire)
    with pytest.raises(SettingsError, match="TRACKLY_API_KEY"):
        TracklyClient(settings.model_copy(update={"api_key": None}))
    with pytest.raises(SettingsError, match="TRACKLY_BASE_URL"):
        TracklyClient(settings.model_copy(update={"base_url": "http://host:port/api"}))
