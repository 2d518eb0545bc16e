"""The pools of connections, and what their exceptions prove about a request that failed on the wire.

httpx raises ConnectError (refused, DNS, TLS), ConnectTimeout, PoolTimeout and ProxyError before a byte of the
request has left. All others (ReadError, ReadTimeout, WriteError, WriteTimeout, RemoteProtocolError) may come
after the server has received, and carried out, the whole of it. What does not belong here: what to do about a
failure (failures.py).
"""

import socket
import ssl
from collections.abc import Iterator, Mapping

import httpx

from pipelines.settings import Settings
from pipelines.trackly.answer import Answer
from pipelines.trackly.carrier import Carrier
from pipelines.trackly.failures import Failure, Kind

# httpx lets some errors of TLS through as they are; they are OSErrors.
WIRE_ERRORS = (httpx.HTTPError, OSError)
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# Seconds. Two lost packets of a TCP handshake fit in; longer waits only delay the news that a host is away.
_LONGEST_CONNECT = 5.0


class SentMark:
    """Notes whether an attempt began to write its body; a server cannot carry out a write without it.

    A trace hook of httpcore. Through an HTTPS proxy the CONNECT request sets it too: that errs on the safe side.
    """

    def __init__(self) -> None:
        self.body_began = False

    async def __call__(self, event: str, info: Mapping[str, object]) -> None:  # noqa: ARG002 - httpcore's signature
        """Take one event of httpcore's trace."""
        if event.endswith("send_request_body.started"):
            self.body_began = True


def open_kept(settings: Settings, headers: Mapping[str, str]) -> Carrier:
    """A pool of `settings.concurrency` connections that serve one request after the other.

    Args:
        settings: base URL, concurrency, time-outs.
        headers: sent with every request.
    """
    return Carrier(
        headers,
        connections=settings.concurrency,
        connect_seconds=_connect_seconds(settings),
        silence_seconds=settings.timeout_seconds,
        total_seconds=max(settings.retry_seconds, settings.timeout_seconds),
        trust_env=_trust_env(settings),
    )


def open_fresh(settings: Settings, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """A pool of `settings.concurrency` connections that serve one request each; no redirects are followed.

    Args:
        settings: base URL, concurrency, time-outs.
        headers: sent with every request.
    """
    return httpx.AsyncClient(
        headers=headers,
        timeout=httpx.Timeout(settings.timeout_seconds, connect=_connect_seconds(settings)),
        limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=_trust_env(settings),
    )


def _connect_seconds(settings: Settings) -> float:
    return min(settings.timeout_seconds, _LONGEST_CONNECT)


def _trust_env(settings: Settings) -> bool:
    """A proxy of the environment is for the world outside, not for a sandbox on this machine."""
    host = httpx.URL(settings.base_url).host
    return not (host in ("localhost", "::1") or host.startswith("127."))


async def send_marked(pool: httpx.AsyncClient, method: str, url: str, body: bytes, mark: SentMark) -> Answer:
    """Send a request on a connection of its own, and have it noted whether its body began to leave.

    Raises:
        httpx.HTTPError, OSError: see `failure_of_wire`.
    """
    response = await pool.request(
        method,
        url,
        content=body,
        headers={"Content-Type": "application/json"},
        extensions={"trace": mark},
    )
    return Answer(response.status_code, response.headers, response.content)


def failure_of_wire(error: Exception, mark: SentMark | None) -> Failure:
    """What an exception of the wire means.

    Args:
        error: one of WIRE_ERRORS.
        mark: what is known of the attempt's body, if it was watched.
    """
    reason = _words(error)
    if isinstance(error, httpx.DecodingError):
        return Failure(Kind.UNREADABLE, reason)
    nothing_left = isinstance(error, _BEFORE_SENDING) or (mark is not None and not mark.body_began)
    return Failure(Kind.UNREACHABLE if nothing_left else Kind.BROKEN, reason)


def _words(error: BaseException) -> str:
    """A few words for the cause that lies deepest, since httpx's own say little."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "the host name was not found"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the TLS certificate was not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {getattr(cause, 'reason', None) or 'no reason given'}"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
    return _WORDS.get(type(error), type(error).__name__)


_WORDS: dict[type[BaseException], str] = {
    httpx.ConnectTimeout: "no connection within the time-out",
    httpx.PoolTimeout: "no free connection within the time-out",
    httpx.ReadTimeout: "the reply did not come within the time-out",
    httpx.WriteTimeout: "the request could not be written within the time-out",
    httpx.ConnectError: "the connection failed",
    httpx.ReadError: "the connection broke while the reply was awaited",
    httpx.WriteError: "the connection broke while the request was written",
    httpx.RemoteProtocolError: "the connection ended before the reply was whole",
    httpx.ProxyError: "the proxy refused the connection",
    httpx.DecodingError: "the reply's compression is damaged",
}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it; connecting to several addresses fails with a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
