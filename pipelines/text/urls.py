"""Addresses: checks them, decides whether they are on this machine, and shows them safely.

What does not belong here: which addresses are used (settings), and how they are reached (trackly).
"""

import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

MIGRATION_GUIDE = "https://docs.tracklysms.com/api-reference/v2/migration-guide"
"""The vendor's guide from v1 to v2 of the API."""

_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_LONGEST_NAME = 253
_NO_HOST = "must name a host"
_SQLITE = "sqlite:///"


def problem_of(url: str) -> str | None:
    """Return why an address is not a valid http or https address; None if it is.

    Args:
        url: without white space around it.

    Returns:
        A short text to follow the name of a setting; it quotes no part of the address.
    """
    if any(map(_is_odd, url)):
        return "must not contain spaces, backslashes or control characters"
    try:
        parts = urlsplit(url)
        host, has_port = parts.hostname, _has_port(parts)
    except ValueError:
        return _NO_HOST
    if parts.scheme.lower() not in ("http", "https") or "://" not in url:
        return "must begin with https:// (or http:// for a local account)"
    if not host:
        return _NO_HOST
    if not has_port:
        return "must have a port from 1 to 65535"
    return None if _is_host(host, bracketed="[" in parts.netloc) else "must name a valid host"


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is valid or missing."""
    try:
        port = parts.port
    except ValueError:
        return False
    return port != 0 and (port is not None or not parts.netloc.endswith(":"))


def _is_odd(character: str) -> bool:
    return character.isspace() or not character.isprintable() or character == "\\"


def problem_of_base(url: str) -> str | None:
    """Return why an address cannot be the base URL of the API; None if it can."""
    if problem := problem_of(url):
        return problem
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        return "must not contain a user or a password"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "must not have a query (?) or a fragment (#)"
    if re.search(r"/v1/*$|/api/v1/", parts.path, re.IGNORECASE):
        return (
            "must end in /api/v2: v1 of the API is deprecated and has no lists, offers, revenue or imports; "
            f"see {MIGRATION_GUIDE}"
        )
    return None


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine, by its name or number alone."""
    host = host_of(url)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host, in lower case and without a dot at its end; "" if there is none."""
    return (_split(url).hostname or "").lower().rstrip(".")


def shown(url: str) -> str:
    """Return the address for display, without user, password, query and fragment."""
    parts = _split(url)
    if not parts.scheme or not parts.netloc:
        return "an address that cannot be shown" if "@" in url else url.partition("?")[0].partition("#")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed:
        try:
            return ipaddress.ip_address(host.partition("%")[0]).version == 6
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    if all(label.isdecimal() for label in labels):  # only a complete address has the same meaning everywhere
        try:
            return ipaddress.ip_address(host).version == 4
        except ValueError:
            return False
    return len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in labels)


def plain_file(url: str) -> Path | None:
    """Return the file of an SQLAlchemy URL for SQLite that has only a path; None for all others."""
    path = url.removeprefix(_SQLITE)
    return None if path in (url, "", ":memory:") or "?" in path else Path(path)
