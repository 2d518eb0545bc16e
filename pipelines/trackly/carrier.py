"""Connections that are kept alive, by aiohttp: for all requests that may be repeated, since they move the bulk.

httpx parses replies in Python, which takes as long as all that a pull does with them afterwards; aiohttp does it in
C. Exceptions are httpx's all the same, so that there is one list of them. What does not belong here: revenue, whose
failures must prove what had left by then, which only httpcore's trace tells (`transport`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO

import aiohttp
import httpx
from yarl import URL

from pipelines.trackly.answer import Answer

_READ_AHEAD = 1 << 20
"""Bytes of a reply that may wait to be read: a page of 1,000 contacts fits, so that the socket is never paused."""


class Carrier:
    """A pool of connections that are kept alive.

    Args:
        headers: sent with every request.
        connections: how many at most.
        connect_seconds: longest wait for a connection.
        silence_seconds: longest wait for the next bytes of a reply.
        total_seconds: longest time of one request in all; it also bounds writing the body.
        trust_env: whether proxies of the environment are used.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        connections: int,
        connect_seconds: float,
        silence_seconds: float,
        total_seconds: float,
        trust_env: bool,
    ) -> None:
        self._headers = {**headers, "Accept-Encoding": "gzip, deflate"}
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(
            total=total_seconds, sock_connect=connect_seconds, sock_read=silence_seconds
        )
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, url: str, body: bytes | None) -> Answer:
        """Send a request and read the whole reply; redirects are not followed.

        Args:
            method: GET or POST.
            url: absolute, escaped.
            body: JSON, if any.

        Raises:
            httpx.TransportError: as httpx's own transport does.
            httpx.DecodingError: the reply's compression is damaged.
        """
        session = self._open(url)
        with _as_httpx():
            async with session.request(
                method,
                URL(url, encoded=True),
                headers={"Content-Type": "application/json"} if body is not None else None,
                # a file, since aiohttp writes those bit by bit and lets other requests have a turn
                data=BytesIO(body) if body else None,
                allow_redirects=False,
            ) as reply:
                content = await reply.read()
        if "Content-Encoding" in reply.headers:
            content = httpx.Response(reply.status, headers=reply.raw_headers, content=content).content
        return Answer(reply.status, reply.headers, content)

    def _open(self, url: str) -> aiohttp.ClientSession:
        """The session, opened by the first request, since that is where the event loop runs."""
        if self._session is None:
            # the certificates that httpx trusts; reading them takes a while and is for TLS only
            is_tls = url.startswith("https:")
            context = httpx.create_ssl_context(trust_env=self._trust_env) if is_tls else True
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=context),
                timeout=self._timeout,
                trust_env=self._trust_env,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Content-Type",),
                auto_decompress=False,
                read_bufsize=_READ_AHEAD,
            )
            # one layer retries, and it is the client; aiohttp has no public switch
            self._session._retry_connection = False  # noqa: SLF001 - see above
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


_MEANINGS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientSSLError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)
"""What each of aiohttp's exceptions is called in httpx; the first that fits."""


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        meant = next(theirs for ours, theirs in _MEANINGS if isinstance(error, ours))
        # aiohttp's words may hold the whole URL, and with it a phone number
        raise meant(type(error).__name__) from error
