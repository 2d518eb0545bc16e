"""A look at a port that gives no answer: does it speak TLS, or plain HTTP, or demand a certificate of ours?

aiohttp only sees a connection that ends. One or two connections more, once, tell the reader what to change; they
carry no key and no data. What does not belong here: deciding about a request whose body has left.
"""

import asyncio
import socket
import ssl

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
    return await asyncio.to_thread(_look_for_tls if not tls else _look_for_plain, host, port)


def _look_for_tls(host: str, port: int) -> TracklySyncError | None:
    try:
        with _connected(host, port) as plain, _unchecked().wrap_socket(plain, server_hostname=host):
            return only_tls(f"{host}:{port}")
    except (OSError, ValueError):
        return None


def _look_for_plain(host: str, port: int) -> TracklySyncError | None:
    place = f"{host}:{port}"
    try:
        with _connected(host, port) as plain, _unchecked().wrap_socket(plain, server_hostname=host) as secure:
            return _after_handshake(secure, place)
    except ssl.SSLError as error:
        return tls_problem(error, place)
    except TimeoutError:
        pass  # perhaps it waits for a line of HTTP
    except (OSError, ValueError):
        return None
    try:
        with _connected(host, port) as plain:
            plain.sendall(_HEAD)
            return no_tls(place) if plain.recv(5) == b"HTTP/" else None
    except OSError:
        return None


def _after_handshake(secure: ssl.SSLSocket, place: str) -> TracklySyncError | None:
    """What a server says by itself once TLS stands: in TLS 1.3, that it misses a certificate."""
    try:
        secure.recv(1)
    except ssl.SSLError as error:
        return tls_problem(error, place)
    except OSError:
        pass
    return None


def _connected(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=_SECONDS)


def _unchecked() -> ssl.SSLContext:
    """No certificate is checked, since nothing is sent that is worth protecting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
