"""Turns aiohttp's exceptions into the project's own failures.

Only a failure before the body begins to leave proves that nothing was carried out: no connection, no TLS, a proxy
that does not let the request through. Any later failure may come after the account has received and carried out the
complete request. What does not belong here: what to do about a failure (`trackly.failures`).
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
from aiohttp import http_exceptions

from pipelines.errors import AccessError, ServiceError, TracklySyncError
from pipelines.text.humanize import sentence
from pipelines.trackly.failures import Failure, Kind
from pipelines.trackly.replies.refusals import proxy_log_in
from pipelines.trackly.transport.certificates import about_certificate, causes, tls_words
from pipelines.trackly.transport.proxies import Proxy

WIRE_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
_FINAL_BY_PROXY = 500  # below this status the proxy refuses; from here on it could not reach the host


@dataclass(slots=True)
class Sent:
    """The progress of an attempt.

    Attributes:
        body_began: whether a byte of the body may have left.
    """

    body_began: bool = False


def failure_of_wire(error: BaseException, sent: Sent, place: str, proxy: Proxy | None) -> Failure:
    """Return the failure for an exception of an attempt.

    Args:
        error: one of WIRE_ERRORS.
        sent: how far the attempt got.
        place: host and port of the API.
        proxy: the proxy of the request, if any.
    """
    if sent.body_began:
        return _after(error)
    if proxy and (failure := _of_proxy(error, proxy)):
        return failure
    for cause in _of_tls(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            message, remedy = about_certificate(cause, place)
            return barred(ServiceError(message, remedy))
        if problem := tls_problem(cause, place):
            return barred(problem)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Failure(Kind.UNREACHABLE, _words_before(error))
    return _after(error)  # a read, or a write that had no time to begin


def is_puzzling(error: BaseException) -> bool:
    """Whether a diagnosis of the port may help: a connection or a handshake ended or hung without a reason."""
    found = list(causes(error))
    if any(isinstance(cause, aiohttp.ClientConnectorDNSError | ConnectionRefusedError) for cause in found):
        return False
    if any(isinstance(cause, http_exceptions.BadStatusLine) for cause in found):
        return True
    cut_short = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError)
    no_reply = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
    return not cut_short and not no_reply


def barred(error: TracklySyncError) -> Failure:
    """Return a failure before anything was sent that another attempt would repeat."""
    return Failure(Kind.BARRED, error.message, error=error)


def tls_problem(error: ssl.SSLError, place: str) -> TracklySyncError | None:
    """Return the error if TLS cannot work with this host, however often it is tried; None otherwise."""
    reason = str(error.reason or "")
    if "CERTIFICATE_REQUIRED" in reason:
        return ServiceError(
            f"{place} demands a client certificate, which Trackly's API does not.",
            "Check TRACKLY_BASE_URL; client certificates are not supported.",
        )
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"):
        return no_tls(place)
    return None


def no_tls(place: str) -> ServiceError:
    """Return the error for https to a port that speaks plain HTTP, or another protocol."""
    return ServiceError(
        f"{place} does not speak TLS.",
        "Check the port in TRACKLY_BASE_URL; for an account on this machine, write http:// instead of https://.",
    )


def only_tls(place: str) -> ServiceError:
    """Return the error for plain HTTP to a port that speaks TLS."""
    return ServiceError(
        f"{place} speaks TLS, and TRACKLY_BASE_URL begins with http://.",
        "Write https:// in TRACKLY_BASE_URL.",
    )


def _of_proxy(error: BaseException, proxy: Proxy) -> Failure | None:
    """Return the failure if the proxy prevented a request; None if the proxy is not the cause."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error.status, proxy)
    # only the proxy's name is looked up here; the proxy looks up the API's
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientConnectorDNSError):
        return _no_way_through(f"the proxy {proxy.place} cannot be reached: {_words_before(error)}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):  # of the proxy, or of the host behind it
        return _no_way_through(f"no connection through the proxy {proxy.place} within the time-out")
    return None


def _refused_by_proxy(status: int, proxy: Proxy) -> Failure:
    """Return the failure for a proxy's answer to CONNECT; the host has not seen the request."""
    if status == 407:
        return barred(proxy_log_in(proxy.place))
    if status < _FINAL_BY_PROXY:
        return barred(
            AccessError(
                f"The proxy {proxy.place} does not let requests through to the API (status {status}).",
                "Allow the host of TRACKLY_BASE_URL in the proxy, or except it with NO_PROXY.",
            )
        )
    reason = f"the proxy {proxy.place} could not reach the API (status {status})"
    return Failure(Kind.UNREACHABLE, reason)


def _no_way_through(reason: str) -> Failure:
    remedy = (
        "See that it runs, and that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names it as it should; hosts that are "
        "reached without it belong in NO_PROXY."
    )
    return Failure(Kind.UNREACHABLE, reason, error=ServiceError(f"{sentence(reason)}.", remedy))


def _of_tls(error: BaseException) -> Iterator[ssl.SSLError]:
    """Yield OpenSSL's errors; aiohttp's own errors are similar but have fewer details."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, aiohttp.ClientError):
            yield cause


def _words_before(error: BaseException) -> str:
    """Return the reason why there is no connection."""
    found = list(causes(error))
    if any(isinstance(cause, aiohttp.ClientConnectorDNSError) for cause in found):
        return "the host name was not found"
    if any(isinstance(cause, ConnectionRefusedError) for cause in found):
        return "the connection was refused"
    if any(isinstance(cause, TimeoutError) for cause in found):
        return "no connection within the time-out"
    for cause in _of_tls(error):
        return tls_words(cause)
    return "the connection failed"


def _after(error: BaseException) -> Failure:
    """Return the failure for a request that ended without a complete reply."""
    head = any(isinstance(cause, http_exceptions.BadHttpMessage) for cause in causes(error))
    # for aiohttp, a chunked body that is cut off is malformed too
    body = any(isinstance(cause, http_exceptions.PayloadEncodingError) for cause in causes(error))
    return Failure(Kind.MALFORMED if head and not body else Kind.BROKEN, _words_after(error))


def _words_after(error: BaseException) -> str:
    """Return why a request ended without a complete reply; aiohttp's text may hold the URL with a phone number."""
    found = list(causes(error))
    malformed = [cause for cause in found if isinstance(cause, http_exceptions.HttpProcessingError)]
    if malformed:  # the innermost error has the reason
        return f"the reply is not proper HTTP: {_of_http(malformed[-1])}"
    if any(isinstance(cause, TimeoutError) for cause in found):
        return "the reply did not come within the time-out"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the connection ended before the reply was complete"
    return "the connection broke before the reply was complete"


def _of_http(error: http_exceptions.HttpProcessingError) -> str:
    match error:
        case http_exceptions.LineTooLong():
            return "a line of its head is too long"
        case http_exceptions.BadStatusLine():
            return "it does not begin with a status"
        case _:
            # its first words are llhttp's; the rest may quote the reply
            words = re.match(r"(?:b')?([A-Z][A-Za-z' -]{6,58})", str(error.message))
            return words[1].strip(" -'") if words else "its head is malformed"
