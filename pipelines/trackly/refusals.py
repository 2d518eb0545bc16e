"""What the vendor says no with: statuses and error bodies, turned into errors of our tree.

An error body has `error` always, `code` mostly, `message` sometimes (/api-reference/v2/error-codes). What does
not belong here: whether to try again (failures.py). Messages quote the vendor's words, shortened, with keys and
phone numbers masked; nothing else of a body reaches a message.
"""

import re
from datetime import datetime
from typing import Any

import msgspec

from pipelines.errors import AccessError, NotFoundError, RequestError, TooLargeError, TracklySyncError
from pipelines.trackly.failures import Failure, Kind, retry_after

_LONGEST_QUOTE = 200
_KEY = re.compile(r"trk_\w+")
_PHONE = re.compile(r"(?<![0-9A-Za-z])(?:\+|%2B)?\d(?:[ ().-]{0,2}\d){6,}(?![0-9A-Za-z])", re.IGNORECASE)
_BASE_URL_REMEDY = "Check that TRACKLY_BASE_URL ends in /api/v2."

SURE_REFUSALS = frozenset({401, 403, 404, 405, 413})
"""Statuses that mean "not carried out" whatever the body says; other 4xx need the vendor's own words."""


class VendorError(msgspec.Struct, frozen=True):
    """The words of an error body; each may be empty."""

    error: str = ""
    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        words = dict.fromkeys(word for word in (self.error, self.message) if word)
        code = f" [{self.code}]" if self.code and self.code not in words else ""
        return " - ".join(words).rstrip(".") + code


def safe_words(text: str) -> str:
    """One line of at most 200 characters, with keys and phone numbers masked, and no NUL character."""
    line = _PHONE.sub("[phone]", _KEY.sub("[key]", " ".join(text.replace("\0", " ").split())))
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"


def vendor_error(body: bytes) -> VendorError | None:
    """The vendor's words in an error body, masked; None if the body is not one."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("error"), str):
        return None
    return VendorError(
        *(
            safe_words(str(value)) if (value := found.get(name)) else ""
            for name in ("error", "code", "message")
        )
    )


def failure_of(status: int, location: str | None, wait: str | None, body: bytes, now: datetime) -> Failure:
    """What a reply means that is not an answer.

    Args:
        status: the HTTP status, not 2xx.
        location: the Location header.
        wait: the Retry-After header.
        body: the whole body.
        now: when it was received, aware.
    """
    said = vendor_error(body)
    reason = f"status {status}" + (f": {said}" if said else "")
    if status == 429:
        return Failure(Kind.BUSY, reason, retry_after=retry_after(wait, now), status=status)
    if status >= 500 or status == 408:
        return Failure(Kind.TROUBLE, reason, retry_after=retry_after(wait, now), status=status)
    certain = status < 400 or status in SURE_REFUSALS or said is not None
    kind = Kind.REFUSED if certain else Kind.UNEXPLAINED
    return Failure(kind, reason, error=_refusal(status, location, said, reason), status=status)


def _refusal(status: int, location: str | None, said: VendorError | None, reason: str) -> TracklySyncError:
    match status:
        case 401:
            return AccessError(
                f"Trackly did not accept the API key ({reason}).",
                "Set TRACKLY_API_KEY to a valid key from the Trackly settings page.",
            )
        case 403:
            return _forbidden(said, reason)
        case 404 | 405:
            return NotFoundError(
                f"Trackly knows no such resource ({reason}).",
                f"{_BASE_URL_REMEDY} The resource may not exist in this account.",
            )
        case 413:
            return TooLargeError(
                f"The request is too large for Trackly, or for a proxy in front of it ({reason}).",
                "Raise the proxy's limit on request bodies (nginx: client_max_body_size 5m), if there is one.",
            )
        case _ if status < 400:
            return RequestError(
                f"Trackly answered with a redirect ({reason}, to {_origin(location)}), which is not followed.",
                "Set TRACKLY_BASE_URL to the address where the API itself answers, https:// and /api/v2 included.",
            )
        case _:
            return RequestError(f"Trackly refused the request ({reason}).", "" if said else _BASE_URL_REMEDY)


def _forbidden(said: VendorError | None, reason: str) -> AccessError:
    code = said.code if said else ""
    if code.endswith("_not_enabled"):
        product = code.removesuffix("_not_enabled")
        return AccessError(
            f"The Trackly account has no access to {product} ({reason}).",
            f"Ask Trackly support to enable {product} for this account.",
        )
    return AccessError(
        f"Trackly forbids access ({reason}).",
        "The account may be suspended: look at it on the Trackly settings page, or ask Trackly support.",
    )


def _origin(location: str | None) -> str:
    """Scheme and host only: a path or a query may carry anything."""
    found = re.match(r"https?://[\w.\-:\[\]]+", location or "")
    return found.group() if found else "another path"
