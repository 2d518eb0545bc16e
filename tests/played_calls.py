"""One call of the client against a server that plays its part (`wire` in tests/trackly/conftest.py)."""

import asyncio
from collections.abc import Callable
from typing import Any

from pipelines.trackly.client import TracklyClient
from pipelines.trackly.replies.pages import get_page

PAGE = {"contacts": [{"phone_number": "+15551234567"}], "pagination": {"page": 1, "total": 1}}
ANSWER = {"success_count": 2, "error_count": 0}
BODY = b'{"records": [{"message_id": "m1"}, {"message_id": "m2"}]}'


async def read(client: TracklyClient, _: bytes) -> Any:
    return await get_page(client, "/contacts", "contacts", page=1)


def play(wire: Any, call: Callable[..., Any], *steps: Any, **overrides: Any) -> tuple[Any, Any]:
    """Serve the steps to one call; what came of it, and the server."""

    async def run() -> tuple[Any, Any]:
        async with wire.serve(*steps) as server, TracklyClient(server.settings(**overrides)) as client:
            try:
                return await call(client, BODY), server
            except Exception as error:  # noqa: BLE001 - handed to the test
                return error, server

    return asyncio.run(run())
