"""Refusals of the API: statuses and error bodies, turned into errors of our tree.

An error body always has `error`, mostly `code`, sometimes `message` (/api-reference/v2/error-codes). Any other body
that is not an answer comes from a gateway, a proxy or a load balancer on the way. Such a page does not show what the
account did. Messages contain the vendor's text, shortened, with keys and phone numbers masked and without quoted
parts; no other part of a body gets into a message. What does not belong here: whether to retry (retries.py).
"""

import re
from datetime import datetime
from typing import Any

import msgspec

from pipelines.errors import (
    AccessError,
    NotEnabledError,
    NotFoundError,
    RequestError,
    ServiceError,
    SettingsError,
    TooLargeError,
    TracklySyncError,
)
from pipelines.text.urls import MIGRATION_GUIDE
from pipelines.trackly.failures import Failure, Kind, Unreadable
from pipelines.trackly.replies.answer import Answer
from pipelines.trackly.replies.error_text import without_quotes
from pipelines.trackly.replies.lenient_json import parse_leniently, whole_characters
from pipelines.trackly.retries import retry_after

_LONGEST_QUOTE = 200
_KEY = re.compile(r"trk_\w+")
_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+|%2B)?\d(?:[ ().-]{0,2}\d){6,}(?![0-9A-Za-z])", re.IGNORECASE)
_LIMIT = re.compile(r"10{6,}(?:\.0+)?")
"""A power of ten, such as the largest amount. It is not a phone number.

After country code 1, no area code begins with 0.
"""

_BASE_URL_REMEDY = "Check that TRACKLY_BASE_URL ends in /api/v2."
_ON_THE_WAY = "Look at the proxies and gateways on the way, and check that TRACKLY_BASE_URL ends in /api/v2."

_CODE = re.compile(r"[a-z][a-z0-9_]*")
_FIELDS = frozenset({"error", "code", "message", "success"})
"""All fields of the vendor's error bodies.

Other bodies with `error`, such as Spring's or an OAuth proxy's, have more.
"""

_WANTS_TLS = (
    b"The plain HTTP request was sent to HTTPS port",  # nginx
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
    b"Client sent an HTTP request to an HTTPS server",  # Go
)
_WANTS_CERTIFICATE = (b"No required SSL certificate was sent", b"The SSL certificate error")  # nginx


class VendorError(msgspec.Struct, frozen=True):
    """The text of an error body; each part may be empty."""

    error: str = ""
    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        words = dict.fromkeys(word for word in (self.error, self.message) if word)
        code = f" [{self.code}]" if self.code and self.code not in words else ""
        return " - ".join(words).rstrip(".") + code


def safe_words(text: str) -> str:
    """Return one line of at most 200 characters, with keys and phone numbers masked, without NUL characters."""
    line = _PHONE.sub(_unless_limit, _KEY.sub("[key]", " ".join(text.replace("\0", " ").split())))
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"


def _unless_limit(found: re.Match[str]) -> str:
    return found[0] if _LIMIT.fullmatch(found[0]) else "[phone]"


def vendor_error(body: bytes, content_type: str | None = None) -> VendorError | None:
    """Return the vendor's text in an error body, masked; None if the body is not in the vendor's form.

    The vendor's form is a JSON object with a text under `error`, and either a code in the vendor's style or only
    documented fields. Its content type, if any, is JSON.

    Args:
        body: of the reply.
        content_type: the header, if there was one.
    """
    if content_type is not None and "json" not in content_type.lower():
        return None
    try:
        found: Any = parse_leniently(body)
    except Unreadable:
        return None
    if not _is_in_form(found):
        return None
    return VendorError(*(_masked(found.get(name)) for name in ("error", "code", "message")))


def _is_in_form(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("error"), str) or not found["error"].strip():
        return False
    code = found.get("code")
    has_code = isinstance(code, str) and _CODE.fullmatch(code) is not None
    return has_code or found.keys() <= _FIELDS


def _masked(value: Any) -> str:
    return without_quotes(safe_words(whole_characters(str(value)))) if value else ""


def failure_of(answer: Answer, now: datetime) -> Failure:
    """Return the failure for a reply that is not an answer.

    Args:
        answer: the reply, not 2xx.
        now: when it was received, aware.
    """
    status, headers = answer.status, answer.headers
    vendor = vendor_error(answer.body, headers.get("content-type"))
    reason = f"status {status}" + (f": {vendor}" if vendor else "")
    wait = retry_after(headers.get("retry-after"), now)
    if status == 407 and headers.get("proxy-authenticate"):
        return Failure(Kind.BARRED, reason, error=proxy_log_in(), status=status)
    if status >= 500 or status == 408:
        return Failure(Kind.TROUBLE, reason, retry_after=wait, status=status)
    if vendor is None or status < 400:
        return _of_a_gateway(answer, f"{reason}, not in the API's own form", wait)
    if status == 429:
        return Failure(Kind.BUSY, reason, retry_after=wait, status=status)
    return Failure(Kind.REFUSED, reason, error=_refusal(status, vendor, reason), status=status)


def deprecated(answer: Answer, host: str) -> Failure | None:
    """Return the failure for a reply marked as v1 (/api-reference/v2/migration-guide); None for other replies.

    v1 has no lists, offers, revenue or imports, and confirms contacts that it does not keep. So no answer of v1 may
    be used.

    Args:
        answer: the reply, of any status.
        host: the host that sent it.
    """
    marks = (answer.headers.get(name, "") for name in ("X-API-Deprecated", "Deprecation"))
    if all(mark.strip().lower() in ("", "false", "?0") for mark in marks):
        return None
    error = SettingsError(
        f"{host} marks its replies as deprecated, as v1 of the API does; nothing that it answers was counted.",
        f"Set TRACKLY_BASE_URL to the address of v2, which ends in /api/v2; see {MIGRATION_GUIDE}",
    )
    reason = f"status {answer.status}, marked as deprecated"
    return Failure(Kind.DEPRECATED, reason, error=error, status=answer.status)


def _of_a_gateway(answer: Answer, reason: str, wait: float | None) -> Failure:
    """Return the failure for a reply that is not in the API's own form; it proves nothing about the request."""
    status = answer.status
    error = _about_tls(answer.body) if status == 400 else None
    kind = Kind.PAGE_BUSY if status == 429 else Kind.PAGE
    if status == 413 or error:
        kind = Kind.PAGE_FINAL
    error = error or _of_a_page(status, answer.headers.get("location"))
    return Failure(kind, reason, retry_after=wait, error=error, status=status)


def proxy_log_in(proxy: str = "") -> AccessError:
    """Return the error for a proxy that asks for a user and a password, or refuses them."""
    return AccessError(
        f"The proxy {proxy}".rstrip() + " asks for a log-in (status 407); Trackly was not reached.",
        "Set the proxy with its user and password: HTTPS_PROXY=http://user:password@host:port",
    )


def _about_tls(page: bytes) -> TracklySyncError | None:
    """Return the error if a server's page for 400 asks for TLS or a certificate; None otherwise."""
    if any(text in page for text in _WANTS_TLS):
        return ServiceError(
            "The host of TRACKLY_BASE_URL speaks TLS on this port.", "Write https:// in TRACKLY_BASE_URL."
        )
    if any(text in page for text in _WANTS_CERTIFICATE):
        return ServiceError(
            "The host of TRACKLY_BASE_URL demands a client certificate, which Trackly's API does not.",
            "Check TRACKLY_BASE_URL; client certificates are not supported.",
        )
    return None


def _of_a_page(status: int, location: str | None) -> TracklySyncError:
    """Return the error for a reply that comes from a gateway or an unknown source."""
    page = (
        f"A proxy or gateway on the way answered with a page of its own (status {status}), and not Trackly."
    )
    match status:
        case 404 | 405:
            return NotFoundError(page, f"{_ON_THE_WAY} The resource may not exist in this account.")
        case 413:
            return TooLargeError(
                f"The request is too large for a proxy or gateway on the way (status {status}).",
                "Raise its limit on request bodies to 5 MB (nginx: client_max_body_size 5m).",
            )
        case 401 | 403 | 429:
            return ServiceError(page, _ON_THE_WAY)
        case _ if 300 <= status < 400:
            return RequestError(
                f"Trackly, or a proxy on the way, answered with a redirect (status {status}, "
                f"to {_origin(location)}), which is not followed.",
                "Set TRACKLY_BASE_URL to the address where the API itself answers, https:// and /api/v2 included.",
            )
        case _:
            return RequestError(page, _ON_THE_WAY)


def _refusal(status: int, vendor: VendorError, reason: str) -> TracklySyncError:
    match status:
        case 401:
            return AccessError(
                f"Trackly did not accept the API key ({reason}).",
                "Set TRACKLY_API_KEY to a valid key from the Trackly settings page.",
            )
        case 403:
            return _forbidden(vendor, reason)
        case 404 | 405:
            return NotFoundError(
                f"Trackly knows no such resource ({reason}).",
                f"{_BASE_URL_REMEDY} The resource may not exist in this account.",
            )
        case 413:
            return TooLargeError(f"The request is too large for Trackly ({reason}).", "Send less at once.")
        case _:
            return RequestError(f"Trackly refused the request ({reason}).")


def _forbidden(vendor: VendorError, reason: str) -> AccessError:
    if vendor.code.endswith("_not_enabled"):
        product = vendor.code.removesuffix("_not_enabled")
        return NotEnabledError(
            f"The Trackly account has no access to {product} ({reason}).",
            f"Ask Trackly support to enable {product} for this account.",
        )
    return AccessError(
        f"Trackly forbids access ({reason}).",
        "The account may be suspended: look at it on the Trackly settings page, or ask Trackly support.",
    )


def _origin(location: str | None) -> str:
    """Return only scheme and host, since a path or a query may hold secrets."""
    found = re.match(r"https?://[\w.\-:\[\]]+", location or "")
    return found.group() if found else "another path"
