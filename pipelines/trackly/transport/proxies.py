"""Finds the proxy for a request from the usual variables; one rule for reads, sends, revenue and alerts.

HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in lower or upper case, as curl reads them. Libraries interpret these
variables differently (networks, ports, a missing scheme), so no library reads the environment here. What does not
belong here: how a connection through a proxy is made (`connections`, `trackly.post_elsewhere`), and what its refusals
mean (`connection_errors`).
"""

import ipaddress
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pipelines.errors import SettingsError
from pipelines.text.urls import host_of, problem_of

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is reached by plain HTTP.

    Attributes:
        url: scheme, host and port, without log-in.
        user: for the log-in; "" for none.
        password: for the log-in.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return self.url.removeprefix("http://")

    @property
    def authorization(self) -> str | None:
        """The Proxy-Authorization header for the log-in; None without one."""
        if not (self.user or self.password):
            return None
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


def proxy_for(url: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy for an address; None if the address is reached directly.

    Only NO_PROXY makes exceptions, also for addresses of this machine, as with curl and requests.

    Args:
        url: http or https.
        environment: the environment variables.

    Raises:
        SettingsError: the variable that applies names an unsupported kind of proxy, or no proxy.
    """
    scheme = urlsplit(url).scheme.lower()
    name, value = _asked_for(scheme, environment)
    if not value or _is_excepted(url, _first(environment, "NO_PROXY")[1]):
        return None
    return _parsed(name, value)


def _asked_for(scheme: str, environment: Mapping[str, str]) -> tuple[str, str]:
    name, value = _first(environment, f"{scheme.upper()}_PROXY")
    return (name, value) if value else _first(environment, "ALL_PROXY")


def _first(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that is set, in lower or upper case, and its value."""
    for found in (name.lower(), name):
        if value := environment.get(found, "").strip():
            return found, value
    return name, ""


def _parsed(name: str, value: str) -> Proxy:
    scheme, found, rest = value.partition("://")
    if not found:
        scheme, rest = "http", value
    if scheme.lower() != "http":
        kind = "TLS to the proxy" if scheme.lower() == "https" else f"A proxy of the kind {scheme[:10]}://"
        raise SettingsError(
            f"{kind} is not supported ({name}).",
            f"Set {name} to an HTTP proxy: http://host:port, or except the host with NO_PROXY.",
        )
    url = f"http://{rest}"
    if problem := problem_of(url):
        raise SettingsError(f"{name} {problem}.", f"For example {name}=http://user:password@host:port")
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(f"http://{host}:{parts.port or _DEFAULT_PORTS['http']}", user, password)


def _is_excepted(url: str, exceptions: str) -> bool:
    """Whether NO_PROXY names the address."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    entries = exceptions.replace(",", " ").split()
    return any(_names(entry.lower(), host_of(url), port) for entry in entries)


def _names(entry: str, host: str, port: int) -> bool:
    """Whether one entry of NO_PROXY names a host.

    Args:
        entry: `*`, a domain with all below it, `*.domain`, an address or a network, each with a port or without.
        host: in lower case.
        port: of the request.
    """
    if entry == "*":
        return True
    entry = entry.partition("://")[2] or entry
    pattern, only = _without_port(entry)
    if only is not None and only != port:
        return False
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    domain = pattern.strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _without_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        inside, _, rest = entry[1:].partition("]")
        network, _, port = rest.partition(":")
        return inside + network, int(port) if port.isdecimal() else None
    if entry.count(":") == 1:
        pattern, _, port = entry.partition(":")
        return pattern, int(port) if port.isdecimal() else None
    return entry, None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
