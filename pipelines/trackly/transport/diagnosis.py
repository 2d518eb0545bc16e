"""Diagnoses a port that gives no answer: does it speak TLS, or plain HTTP, or demand a client certificate?

aiohttp only sees that a connection ends. One or two further connections, made once, show the user what to change;
they carry no key and no data. What does not belong here: deciding about a request whose body has left.
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
    """Return the error that a diagnosis of the port finds, if any.

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
    except (OSError, ValueError):  # no further information; a host may be invalid as a name for TLS
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
    except TimeoutError:  # perhaps the server waits for a line of HTTP
        with _connected(host, port) as plain:
            plain.sendall(_HEAD)
            return no_tls(place) if plain.recv(5) == b"HTTP/" else None


def _hear_out(secure: ssl.SSLSocket) -> None:
    """Wait for a message of the server after the TLS handshake: in TLS 1.3, that a certificate is missing."""
    with suppress(TimeoutError):
        secure.recv(1)


def _connected(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=_SECONDS)


def _unchecked() -> ssl.SSLContext:
    """Return a TLS context that checks no certificate, since no secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
