"""The receiver as an ASGI application: what it answers to whom.

    2xx   the body is on the disk, whatever it says        401  no signature, or a wrong one; the body is not kept
    408   the body came too slowly                         413  it is too large
    503   it could not be stored: to be sent again         405  anything but POST, and GET /health

Nothing of a request goes into a log. What does not belong here: sockets and slow heads (`serve`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from pipelines.errors import StorageError
from pipelines.privacy import Privacy
from pipelines.settings import Settings
from pipelines.webhooks.events import digest_of, kept_of
from pipelines.webhooks.queue.store import Arrival, Rejection, now
from pipelines.webhooks.queue.writer import MOST_WAITING_BYTES, QueueFull, Writer
from pipelines.webhooks.signature import HEADER, Form, is_right

MOST_BODY_BYTES = 2**20
BODY_SECONDS = 20.0
"""The longest that a body may take to come."""

_MOST_READ_BYTES = 16 * MOST_BODY_BYTES
"""Of a body that is too large so much is read and let go: who sends it hears the answer then."""

_RETRY_SECONDS = "30"
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose events are taken, and what is kept of them.

    Attributes:
        secrets: those that an event may be signed with; none: all are taken.
        form: how signatures are written.
        privacy: what is kept of personal data.
    """

    secrets: Sequence[bytes]
    form: Form
    privacy: Privacy

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """As the settings say."""
        return cls(settings.webhook_secrets, Form.of(settings), Privacy.of(settings))


_STORED = Response()
"""Without a body, which would be a packet of its own."""


class Receiver:
    """An ASGI application.

    Args:
        writer: makes bodies durable.
        rules: see `Rules`.
        body_seconds: the longest that a body may take to come.
    """

    def __init__(self, writer: Writer, rules: Rules, body_seconds: float = BODY_SECONDS) -> None:
        self._writer, self._rules, self._body_seconds = writer, rules, body_seconds
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server has neither lifespan nor web sockets."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD") and request.url.path == "/health":
            return await self._health()
        if request.method != "POST":
            return _refusal(405, "send events by POST", {"Allow": "POST"})
        if _announced(request) > _MOST_READ_BYTES:
            return _refusal(413, "the body is too large", _CLOSE)
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await self._body(request)
        except TimeoutError:
            return _refusal(408, "the body came too slowly", _CLOSE)
        except QueueFull:
            return _unstored()
        if body is None:
            return _refusal(413, "the body is too large", _CLOSE)
        return await self._take(request, body)

    async def _body(self, request: Request) -> bytes | None:
        """The body; None where it is too large.

        Raises:
            QueueFull: with it, more would be in memory than may be.
        """
        parts: list[bytes] = []
        size = counted = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > _MOST_READ_BYTES:
                    break
                if size > MOST_BODY_BYTES:
                    parts.clear()
                    continue
                if self._under_way + len(part) > MOST_WAITING_BYTES:
                    raise QueueFull
                self._under_way += len(part)
                counted += len(part)
                parts.append(part)
        finally:
            self._under_way -= counted
        return None if size > MOST_BODY_BYTES else b"".join(parts)

    async def _take(self, request: Request, body: bytes) -> Response:
        signatures = request.headers.getlist(HEADER)
        verified = is_right(body, signatures, self._rules.secrets, self._rules.form)
        if self._rules.secrets and not verified:
            return await self._reject("wrongly_signed" if signatures else "unsigned", len(body))
        form, kept = kept_of(body, self._rules.privacy)
        arrival = Arrival(digest_of(body, self._rules.privacy), now(), verified, form, kept)
        try:
            await self._writer.write(arrival)
        except (QueueFull, StorageError):
            return _unstored()
        return _STORED

    async def _reject(self, reason: str, size: int) -> Response:
        """Refuse; whether that can be put on record changes nothing for who sent it."""
        with suppress(QueueFull, StorageError):
            await self._writer.write(Rejection(now(), reason, size))
        return _refusal(401, f"the request is {reason.replace('_', ' ')}")

    async def _health(self) -> Response:
        """Whether an event could be stored now; where the last one could not, that is tried."""
        try:
            if self._writer.failed:
                await self._writer.write(None)
        except (QueueFull, StorageError):
            return _unstored()
        return JSONResponse({"status": "ok"})


def _announced(request: Request) -> int:
    """The size of the body as its head has it; 0 where it does not say."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _refusal(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers)


def _unstored() -> Response:
    return _refusal(503, "the event could not be stored; send it again", {"Retry-After": _RETRY_SECONDS})
