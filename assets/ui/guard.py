"""The guard in front of Dagster's pages: who may use them, from which page, and how. No Dagster here.

Dagster's webserver has no access control. A web page in a user's browser could start runs through it, with an image,
a form, a request or a host name that points to this machine. So could any user of the machine. So the guard has these
rules:

    host      Host is a loopback name with our port, or one that the settings name: no name rebound by DNS
    origin    Origin and Sec-Fetch-Site, where a browser sends them, are those of the page itself; WebSockets too
    verb      GET and HEAD read; changes go by POST with a JSON body, which no other page can send; GraphQL only so
    user      with a password every request has it; without one, only our own user and root come in over loopback
    framing   no other page shows this one in a frame, and this one loads images from nowhere else

What must not go in: serving (`webserver`), and settings.
"""

import hmac
import ipaddress
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'; img-src 'self' data: blob:; form-action 'self'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_OURS = frozenset({"same-origin", "none"})  # none: a typed address or a bookmark


@dataclass(frozen=True, slots=True)
class Rules:
    """Access rules.

    Attributes:
        port: of the pages.
        hosts: host names that a request may use in addition to loopback, each with or without a port.
        password: required in every request; None for no password.
        may_enter: whether a peer may enter without a password, by the addresses and ports of both ends.
    """

    port: int
    hosts: frozenset[str] = frozenset()
    password: str | None = field(default=None, repr=False)
    may_enter: Callable[[tuple[str, int], tuple[str, int]], bool] = lambda _peer, _server: True


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Guard:
    """An ASGI application that passes on the requests that the rules allow.

    Args:
        app: Dagster's.
        rules: the access rules.
    """

    def __init__(self, app: App, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            _judge(scope, self._rules)
        except _RefusedError as refused:
            await _refuse(scope, receive, send, refused)
            return
        await self._app(scope, receive, _with_headers(send))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine by its form, without DNS."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _judge(scope: Scope, rules: Rules) -> None:
    headers = _Headers(scope["headers"])
    host = headers.one("host")
    if host is None or not _is_ours(host, rules):
        raise _RefusedError(
            403, "This host name is not served here. Names beside loopback: TRACKLY_UI_HOSTS."
        )
    origin, site = headers.one("origin"), headers.one("sec-fetch-site")
    if not headers.at_most_one("origin", "sec-fetch-site", "host", "content-type", "authorization"):
        raise _RefusedError(400, "A header is there twice.")
    if (origin is not None and not _is_of(origin, host)) or (site is not None and site not in _OURS):
        raise _RefusedError(403, "Another page cannot use this one. Open it by its address.")
    _let_in(scope, headers, host, rules)
    if scope["type"] == "http":
        _judge_verb(scope["method"], scope["path"], headers.one("content-type") or "")


def _let_in(scope: Scope, headers: "_Headers", host: str, rules: Rules) -> None:
    if rules.password is not None:
        if not _knows(headers.one("authorization") or "", rules.password):
            raise _RefusedError(401, "A password is needed.")
        return
    if not is_loopback(_split(host)[0]):  # a name in the settings is a proxy, which asks for a log-in itself
        return
    peer, server = (tuple(scope.get(end) or ("", 0)) for end in ("client", "server"))
    if not rules.may_enter(peer, server):
        raise _RefusedError(
            403, "Only the user who started it can use it without a password: TRACKLY_UI_PASSWORD."
        )


def _judge_verb(method: str, path: str, content_type: str) -> None:
    if method == "POST":
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise _RefusedError(415, "Send JSON.")
    elif method not in ("GET", "HEAD") or path.rstrip("/").lower().endswith("/graphql"):
        raise _RefusedError(405, "Send it by POST, as JSON.")


def _is_ours(host: str, rules: Rules) -> bool:
    name, port = _split(host)
    if is_loopback(name):
        return (port or "80") == str(rules.port)
    return name.lower() in rules.hosts or host.lower() in rules.hosts


def _is_of(origin: str, host: str) -> bool:
    """Whether an origin is the page's own; a proxy may have removed TLS."""
    found = urlsplit(origin)
    if found.scheme not in ("http", "https"):
        return False
    usual = {"http": "80", "https": "443"}[found.scheme]
    (name, port), (own, own_port) = _split(found.netloc), _split(host)
    return name.lower() == own.lower() and (port or usual) == (own_port or usual)


def _split(host: str) -> tuple[str, str]:
    """Split a host and its port, "" if there is none; an IPv6 address without brackets has no port."""
    name, colon, port = host.rpartition(":")
    return (
        (name, port) if colon and (port.isdigit() and (":" not in name or name.endswith("]"))) else (host, "")
    )


def _knows(authorization: str, password: str) -> bool:
    """Whether Basic log-in has the password; any user name is accepted."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        user, colon, given = b64decode(encoded.strip(), validate=True).partition(b":")
    except (NotBase64, ValueError):
        user, colon, given = b"", b"", b""
    right = hmac.compare_digest(given, password.encode())  # in constant time, also if there is no password
    return right and scheme.lower() == "basic" and bool(user) and bool(colon)


class _Headers:
    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in raw:
            self._all.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def one(self, name: str) -> str | None:
        """Return the first header with this name."""
        return self._all.get(name, [None])[0]

    def at_most_one(self, *names: str) -> bool:
        """Whether none of these headers is there twice."""
        return all(len(self._all.get(name, ())) <= 1 for name in names)


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return guarded


async def _refuse(scope: Scope, receive: Receive, send: Send, refused: _RefusedError) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": refused.reason})
        return
    body = f"{refused.reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Trackly Sync", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": refused.status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
