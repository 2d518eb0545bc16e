"""How an address is reached: through which proxy, and with which certificates. Resolved once for all requests.

What does not belong here: the rules of either (`proxies`, `certificates`).
"""

import ssl
from dataclasses import dataclass

from pipelines.trackly.transport.certificates import tls_context
from pipelines.trackly.transport.proxies import Proxy, proxy_for


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one address.

    Attributes:
        proxy: to go through; None to go directly.
        tls: what certificates are checked with; None for plain HTTP.
    """

    proxy: Proxy | None
    tls: ssl.SSLContext | None


def route_to(url: str) -> Route:
    """The way to an address, by the environment as it is now.

    Args:
        url: http or https.

    Raises:
        SettingsError: a proxy or certificates that the environment names cannot be used.
    """
    # reading certificates takes a while and is for TLS only
    return Route(proxy_for(url), tls_context() if url.lower().startswith("https:") else None)
