"""The route to an address: its proxy and its certificates, resolved once for all requests.

What does not belong here: the rules for both (`proxies`, `certificates`).
"""

import ssl
from dataclasses import dataclass

from pipelines.trackly.transport.certificates import tls_context
from pipelines.trackly.transport.proxies import Proxy, proxy_for


@dataclass(frozen=True, slots=True)
class Route:
    """The route to one address.

    Attributes:
        proxy: the proxy; None for a direct connection.
        tls: the context that checks certificates; None for plain HTTP.
    """

    proxy: Proxy | None
    tls: ssl.SSLContext | None


def route_to(url: str) -> Route:
    """Return the route to an address, by the current environment.

    Args:
        url: http or https.

    Raises:
        SettingsError: a proxy or certificates that the environment names cannot be used.
    """
    # reading certificates takes time and is needed for TLS only
    return Route(proxy_for(url), tls_context() if url.lower().startswith("https:") else None)
