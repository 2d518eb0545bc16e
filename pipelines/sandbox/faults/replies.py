"""Sends replies: as a failing service or a gateway would, cut off, or byte by byte.

What does not belong here: which requests are struck (`kinds`), and good replies (`contacts`, `messages`).
"""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Send

from pipelines.sandbox.faults.kinds import Fault

_HTML = "<html><body><h1>{}</h1></body></html>"
_DRIPS = 5
"""Writes per second of a dripping reply; one if it drips more slowly."""


def as_json(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON reply; half a character, which UTF-8 cannot encode, is escaped.

    Args:
        status: of the reply.
        content: JSON values.
        headers: in addition to the content type.
    """
    text = json.dumps(content, ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        body = json.dumps(content).encode()
    return Response(body, status, headers, media_type="application/json")


def rewritten(status: int, content: Any) -> Response:
    """Return the same values in differently written JSON; whole numbers become 1.0 only in objects of rows.

    A row's own numbers stay as they are: the documentation has them as integers.
    """
    text = json.dumps(_turned_round(content, depth=0)).replace("/", "\\/")
    return Response(text, status, media_type="application/json")


_OF_ROWS = 3
"""Depth of values in a row's own objects: the reply, the array, the row."""


def _turned_round(value: Any, depth: int) -> Any:
    match value:
        case dict():
            return {name: _turned_round(value[name], depth + 1) for name in reversed(value)}
        case list():
            return [_turned_round(item, depth + 1) for item in value]
        case int() if depth > _OF_ROWS and not isinstance(value, bool):
            return float(value)
        case _:
            return value


def page(status: int, title: str) -> Response:
    """Return a proxy's page."""
    return HTMLResponse(_HTML.format(title), status)


def gateway_reply(fault: Fault) -> Response:
    """Return a gateway's own reply when the service behind it takes too long; never in the vendor's form."""
    headers = {"Location": "https://gateway.example/sorry"} if 300 <= fault.status < 400 else {}
    if fault.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="gateway"'
    match fault.body:
        case "empty":
            return Response(b"", fault.status, headers)
        case "json":
            return as_json(fault.status, {"message": "Endpoint request timed out"}, headers)
    return HTMLResponse(_HTML.format("The service is away"), fault.status, headers)


async def send_half(response: Response, send: Send) -> None:
    """Promise the complete body and send half; the server then drops the connection."""
    await _start(response, send)
    half = response.body[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})


async def send_dripping(response: Response, rate: int, request: Request, send: Send) -> None:
    """Send the body at a rate in bytes per second, as long as the client is connected.

    Args:
        response: the response to send.
        rate: bytes a second.
        request: knows whether the client is still connected.
        send: of ASGI.
    """
    await _start(response, send)
    rate, body = max(rate, 1), bytes(response.body)
    step = max(rate // _DRIPS, 1)
    for place in range(0, max(len(body), 1), step):
        await asyncio.sleep(step / rate)
        part, more = body[place : place + step], place + step < len(body)
        await send({"type": "http.response.body", "body": part, "more_body": more})
        if await request.is_disconnected():
            return


async def _start(response: Response, send: Send) -> None:
    head = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
    await send(head)
