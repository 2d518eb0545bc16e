"""Decides whether and when a failed attempt is retried, or which error to raise; the only layer that retries.

What does not belong here: how attempts fail (`failures`), and the loop that waits and retries (`client`). No function
here reads a clock or uses the network.
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipelines.errors import AccessError, OutcomeUnknown, RequestError, ServiceError, TracklySyncError
from pipelines.text.humanize import plural
from pipelines.trackly.failures import PROOFS_OF_NOTHING_DONE, Failure, Kind

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 8.0
MOST_JITTER = 0.5
"""Seconds between two attempts where the service asks for no time of its own.

From the first on twice as long each time, with so much more at most, at random, and never beyond the longest.
"""

LONGEST_RETRY_AFTER = 60.0
"""Seconds; the longest wait if a service asks for more."""

# The most attempts at one request. A host that cannot be reached is given up after about 10 s of waiting, one
# that answers badly after about 40 s; one that asks to wait is waited for as long as the total bound allows. A page
# of a gateway is often there to stay (a redirect, a wrong path), but it also stands in for a time-out. A program that
# sends a malformed head will do so again; one connection that fell out of step will not.
_MOST_ATTEMPTS = {
    Kind.BARRED: 0,
    Kind.UNREACHABLE: 6,
    Kind.REFUSED: 0,
    Kind.BUSY: math.inf,
    Kind.DEPRECATED: 0,
    Kind.TROUBLE: 10,
    Kind.BROKEN: 10,
    Kind.MALFORMED: 3,
    Kind.UNREADABLE: 10,
    Kind.TOO_LONG: 0,
    Kind.PAGE: 4,
    Kind.PAGE_BUSY: math.inf,
    Kind.PAGE_FINAL: 0,
}

SHORTEST_CUT = 0.3
"""Seconds; an attempt that fails sooner did not fail because it took long."""

_ABOUT_ALL_REQUESTS = frozenset({401, 407, *range(300, 400)})
"""Statuses that concern all requests: the key, a proxy's log-in, and the API's address."""

_MAYBE_CUT = frozenset({Kind.TROUBLE, Kind.BROKEN, Kind.UNREADABLE, Kind.PAGE, Kind.PAGE_BUSY})


def wait_or_error(
    failure: Failure, *, attempts: int, left: float, repeatable: bool, what: str
) -> bool | float | TracklySyncError:
    """Decide about a failed attempt: retry, and when, or give up, and with which error.

    Args:
        failure: the attempt's failure.
        attempts: number of attempts so far, this one included.
        left: seconds left for retries of this request.
        repeatable: whether carrying out the request twice has the same effect as once.
        what: the request and the host, for the error's message.

    Returns:
        True: retry after the usual backoff. A number: retry after this many seconds. Otherwise the error to raise.
    """
    if not repeatable and failure.kind not in PROOFS_OF_NOTHING_DONE:
        return OutcomeUnknown(
            f"{what}: no usable answer ({failure.reason}), so it may or may not have been carried out.",
            "It is not sent again by itself, since the API would count it twice.",
            seconds=failure.seconds,
            sent_at=failure.sent_at,
            status=failure.status,
        )
    too_long = failure.retry_after is not None and failure.retry_after > left
    if left > 0 and attempts < _MOST_ATTEMPTS[failure.kind] and not too_long:
        return True if failure.retry_after is None else failure.retry_after
    return give_up(failure, attempts=attempts, what=what)


def was_cut(failure: Failure) -> bool:
    """Whether an attempt may have failed because it took long, by a time-out of ours or on the way."""
    return failure.kind in _MAYBE_CUT and failure.seconds >= SHORTEST_CUT


def give_up(failure: Failure, *, attempts: int, what: str) -> TracklySyncError:
    """Return the error for a failure that is not retried, or not any more.

    Args:
        failure: of the last attempt.
        attempts: number of attempts.
        what: the request, such as `GET /contacts`.
    """
    if failure.error is not None:
        return _of_request(failure, failure.error, what)
    times = plural(attempts, "attempt")
    asked = "" if failure.retry_after is None else f", asked to wait {failure.retry_after:g} s"
    remedy = {
        Kind.UNREACHABLE: "Check the network and TRACKLY_BASE_URL, then run it again.",
        Kind.BUSY: "Run it again later, or set TRACKLY_MAX_REQUESTS_PER_SECOND or a lower TRACKLY_CONCURRENCY.",
        Kind.MALFORMED: "Look at the proxies and gateways on the way: one of them, or the host, sends such replies.",
        Kind.TOO_LONG: "If pages of the account are so large, raise TRACKLY_MAX_REPLY_MB; else look at what answers.",
        Kind.UNREADABLE: "Check that TRACKLY_BASE_URL is the API's address and ends in /api/v2.",
    }.get(failure.kind, "Run it again later.")
    return ServiceError(f"{what}: no usable answer after {times} ({failure.reason}{asked}).", remedy)


def _of_request(failure: Failure, error: TracklySyncError, what: str) -> TracklySyncError:
    """Return the error, with the request's name unless the refusal concerns all requests."""
    about_all = failure.kind in (Kind.BARRED, Kind.DEPRECATED) or failure.status in _ABOUT_ALL_REQUESTS
    if about_all or not isinstance(error, RequestError | AccessError):
        return error
    return type(error)(f"{what}: {error.message}", error.remedy)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait by a Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3).

    Args:
        value: the header, if there was one.
        now: an aware instant.

    Returns:
        1 to LONGEST_RETRY_AFTER seconds. None if the header is absent, malformed, or asks for less than a second:
        then the usual backoff applies, so that "0" cannot cause a tight loop.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
    return min(seconds, LONGEST_RETRY_AFTER) if seconds >= 1 else None
