"""A look at a port that gives no answer: does it speak TLS, or plain HTTP, or demand a certificate of ours?

aiohttp only sees a connection that ends. One or two connections more, once, tell the reader what to change; they
carry no key and no data. What does not belong here: deciding about a request whose body has left.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from pipelines.errors import TracklySyncError
from pipelines.trackly.transport.connection_errors import no_tls, only_tls, tls_problem

_SECONDS = 3.0
_HEAD = b"HEAD / HTTP/1.0\r\n\r\n"


async def diagnose(host: str, port: int, *, tls: bool) -> TracklySyncError | None:
    """What a look at the port explains.

    Args:
        host: of the base URL.
        port: of the base URL.
        tls: whether the base URL is https.
    """
    return await asyncio.to_thread(_look, host, port, _look_for_plain if tls else _look_for_tls)


def _look(
    host: str, port: int, look: Callable[[str, int], TracklySyncError | None]
) -> TracklySyncError | None:
    try:
        return look(host, port)
    except (OSError, ValueError):  # it tells no more than it told aiohttp; a host may be no name for TLS
        return None


def _look_for_tls(host: str, port: int) -> TracklySyncError:
    with _connected(host, port) as plain, _unchecked().wrap_socket(plain, server_hostname=host):
        return only_tls(f"{host}:{port}")


def _look_for_plain(host: str, port: int) -> TracklySyncError | None:
    place = f"{host}:{port}"
    try:
        with _connected(host, port) as plain, _unchecked().wrap_socket(plain, server_hostname=host) as secure:
            _hear_out(secure)
            return None
    except ssl.SSLError as error:
        return tls_problem(error, place)
    except TimeoutError:  # perhaps it waits for a line of HTTP
        with _connected(host, port) as plain:
            plain.sendall(_HEAD)
            return no_tls(place) if plain.recv(5) == b"HTTP/" else None


def _hear_out(secure: ssl.SSLSocket) -> None:
    """Wait for what a server says by itself once TLS stands: in TLS 1.3, that it misses a certificate."""
    with suppress(TimeoutError):
        secure.recv(1)


def _connected(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=_SECONDS)


def _unchecked() -> ssl.SSLContext:
    """No certificate is checked, since nothing is sent that is worth protecting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
