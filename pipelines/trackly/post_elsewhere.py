"""Posts a small message to an address other than the API's, with httpx and the usual proxies and certificates.

What does not belong here: the message and its time limit (alerts).
"""

import logging
import socket
import ssl
from collections.abc import Sequence

import httpx

from pipelines.errors import SettingsError
from pipelines.text.urls import host_of
from pipelines.trackly.transport.certificates import about_certificate, causes, tls_words
from pipelines.trackly.transport.proxies import Proxy
from pipelines.trackly.transport.route import Route, route_to

_PLAIN = (
    (ConnectionRefusedError, "the connection was refused"),
    (socket.gaierror, "the host name was not found"),
)


def post_json(url: str, content: bytes, seconds: float) -> str:
    """Post JSON; redirects are not followed, since a redirected POST becomes a GET, which would look like success.

    Args:
        url: http or https; it may be a secret, so it is in no message or log.
        content: JSON.
        seconds: the longest wait for a connection, and for each part of the reply.

    Returns:
        Why the message did not arrive, in a few words without the URL; "" if it arrived.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the URL
    route = None
    try:
        route = route_to(url)
        with (
            httpx.Client(
                verify=route.tls or False, proxy=_proxy_of(route), trust_env=False, timeout=seconds
            ) as client,
            client.stream(
                "POST",
                url,
                content=content,
                headers={"Content-Type": "application/json", "User-Agent": "trackly-sync"},
            ) as reply,
        ):
            if reply.is_success:
                return ""
            is_proxys = reply.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED
            return f"status {reply.status_code}" + (", of the proxy" if is_proxys else "")
    except SettingsError as error:
        return error.message.rstrip(".")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return _reason(error, url, route.proxy if route else None)


def _proxy_of(route: Route) -> httpx.Proxy | None:
    if route.proxy is None:
        return None
    authorization = route.proxy.authorization
    return httpx.Proxy(
        route.proxy.url, headers={"Proxy-Authorization": authorization} if authorization else None
    )


def _reason(error: Exception, url: str, proxy: Proxy | None) -> str:
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused the connection"
    found = list(causes(error))
    if of_tls := _tls_problem(found, host_of(url)):
        return of_tls
    plain = next((text for kind, text in _PLAIN if any(isinstance(cause, kind) for cause in found)), "")
    if proxy is not None and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"the proxy {proxy.place} cannot be reached" + (f": {plain}" if plain else "")
    return plain or f"not reached ({type(found[-1]).__name__})"


def _tls_problem(found: Sequence[BaseException], host: str) -> str:
    """Return the TLS problem; "" if TLS is not the cause."""
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return about_certificate(cause, host)[0].rstrip(".")
        if isinstance(cause, ssl.SSLError):
            return tls_words(cause)
    return ""
