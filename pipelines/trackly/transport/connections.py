"""Connections to the API with aiohttp: kept alive, or one for each request.

One carrier serves one base URL. It raises failures of the project for requests that failed (`connection_errors`) and
retries nothing; the client does. What does not belong here: what a reply means (`replies`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from pipelines.trackly.failures import Failure, Kind
from pipelines.trackly.replies.answer import Answer
from pipelines.trackly.transport.bodies import ACCEPTED, read_body
from pipelines.trackly.transport.connection_errors import (
    WIRE_ERRORS,
    Sent,
    barred,
    failure_of_wire,
    is_puzzling,
)
from pipelines.trackly.transport.diagnosis import diagnose
from pipelines.trackly.transport.proxies import Proxy
from pipelines.trackly.transport.route import Route

_READ_AHEAD = 1 << 20
"""Bytes of a reply that may be buffered: a page of 1,000 contacts fits, so that the socket is not paused."""

_WRITE_AT_ONCE = 1 << 16
"""Bytes of a body that are written before other requests get a turn."""

_LONGEST_HEADER, _MOST_HEADERS = 1 << 16, 1_000
"""Limits for a reply's head; ordinary servers send up to 16 KiB."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for a carrier's requests.

    Attributes:
        connections: most connections.
        connect_seconds: longest wait for a connection, with TLS and a proxy's tunnel.
        silence_seconds: longest wait for the next bytes of a reply.
        total_seconds: longest total time of one request, also if its reply keeps arriving.
        page_bytes: largest body of a reply to a read, decompressed.
        answer_bytes: the same for the answer to a write.
    """

    connections: int
    connect_seconds: float
    silence_seconds: float
    total_seconds: float
    page_bytes: int
    answer_bytes: int


class Carrier:
    """A pool of connections to one base URL.

    Args:
        base_url: of the API.
        route: how the API is reached.
        headers: sent with every request.
        limits: see `Limits`.
        keep: whether connections are kept alive; if not, each serves one request.
    """

    def __init__(
        self, base_url: str, route: Route, headers: Mapping[str, str], limits: Limits, *, keep: bool
    ) -> None:
        self._headers = {**headers, "Accept-Encoding": ACCEPTED}
        self._limits = limits
        self._keep = keep
        self._url = URL(base_url)
        self._place = f"{self._url.host}:{self._url.port}"
        self._route = route
        self._session: aiohttp.ClientSession | None = None
        self._is_known = False

    async def send(self, method: str, url: str, body: bytes | None) -> Answer:
        """Send a request and read the complete reply; redirects are not followed.

        Args:
            method: GET or POST.
            url: absolute, escaped, below the base URL.
            body: JSON, if any.

        Raises:
            Failure: there is no reply, or it cannot be read.
        """
        sent = Sent()
        try:
            answer = await self._exchange(method, url, body, sent)
        except WIRE_ERRORS as error:
            failure = failure_of_wire(error, sent, self._place, self._route.proxy)
            raise await self._diagnosed(failure, error) from error
        self._is_known = True
        return answer

    async def _exchange(self, method: str, url: str, body: bytes | None, sent: Sent) -> Answer:
        proxy = self._route.proxy
        async with self._open().request(
            method,
            URL(url, encoded=True),
            headers=self._headers_for(body),
            data=None if body is None else _noted(body, sent),
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
            proxy_headers=_log_in(proxy) if self._route.tls else None,
        ) as reply:
            try:
                content = await read_body(
                    reply.content.iter_any(),
                    reply.headers.get("Content-Encoding", ""),
                    reply.content_length,
                    self._limits.page_bytes if body is None else self._limits.answer_bytes,
                )
            except Failure as failure:
                failure.status = reply.status
                reply.close()  # the rest of it is not needed
                raise
        return Answer(reply.status, reply.headers, content)

    def _headers_for(self, body: bytes | None) -> dict[str, str]:
        """Return the headers for the API.

        The session has none, since aiohttp would send them to the proxy, including the key.
        """
        headers = dict(self._headers)
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if self._route.tls is None:  # there is no tunnel, so the proxy reads the request itself
            headers |= _log_in(self._route.proxy)
        return headers

    async def _diagnosed(self, failure: Failure, error: BaseException) -> Failure:
        """Return the failure, or a clearer one if a diagnosis of the port explains it; the diagnosis runs once.

        No diagnosis through a proxy, or for a request that may not be repeated: there, only the request's own failure
        counts.
        """
        if self._is_known or not self._keep or self._route.proxy is not None:
            return failure
        if failure.kind is Kind.BARRED or not is_puzzling(error):
            return failure
        self._is_known = True
        problem = await diagnose(self._url.host or "", self._url.port or 0, tls=self._url.scheme == "https")
        return failure if problem is None else barred(problem)

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, opened by the first request, since the event loop runs there."""
        if self._session is None:
            limits = self._limits
            connector = aiohttp.TCPConnector(
                limit=limits.connections, ssl=self._route.tls or True, force_close=not self._keep
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=limits.total_seconds,
                    connect=limits.connect_seconds,
                    sock_read=limits.silence_seconds,
                ),
                trust_env=False,  # no proxies, which `proxies` resolves, and no ~/.netrc
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Content-Type",),
                auto_decompress=False,
                read_bufsize=_READ_AHEAD,
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
                max_headers=_MOST_HEADERS,
                middlewares=(_once,),
                response_class=_Response,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class _Response(aiohttp.ClientResponse):
    """A reply whose connection ends as soon as the reply is closed.

    aiohttp's `close` of a TLS connection waits for the other side's closing message, half a minute if a gateway sends
    none. Each call of revenue has a connection of its own, so these connections would accumulate.
    """

    _transport: asyncio.BaseTransport | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head as aiohttp does; if the request fails, aiohttp closes the connection."""
        self._transport = connection.transport
        return await super().start(connection)

    def close(self) -> None:
        """Close the connection, whether or not the reply was read."""
        super().close()
        self._end()

    async def wait_for_close(self) -> None:
        """End the reply as aiohttp does, and close a connection that is not kept alive."""
        await super().wait_for_close()
        self._end()

    def _end(self) -> None:
        transport = self._transport
        if isinstance(transport, asyncio.WriteTransport) and transport.is_closing():
            # after a second close, a TLS transport has no protocol, and Python 3.11.2 (Debian 12) fails
            with suppress(AttributeError):
                transport.abort()


async def _noted(body: bytes, sent: Sent) -> AsyncIterator[bytes]:
    """Yield the body in parts; aiohttp requests the first part when it has a connection and the head is ready."""
    sent.body_began = True
    for start in range(0, len(body), _WRITE_AT_ONCE):
        yield body[start : start + _WRITE_AT_ONCE]


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Prevent aiohttp from repeating a read whose connection was closed, since only the client retries."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError("not repeated") from error


def _log_in(proxy: Proxy | None) -> dict[str, str]:
    authorization = proxy.authorization if proxy else None
    return {"Proxy-Authorization": authorization} if authorization else {}
