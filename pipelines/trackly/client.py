"""The client: one pool of connections, one layer of retries, one place that holds the key.

`get` and `post` are logical requests: each makes as many attempts as retries.py allows and returns a Reply or
raises an error of the tree. What does not belong here: what bodies mean (replies/pages.py, imports.py), what a
failure means (failures.py), and what the vendor's refusals mean (replies/refusals.py).

A write that the API would count twice (`repeatable=False`) always has a connection of its own. The server may just
have closed a connection that was kept alive. A request on such a connection fails in a way that does not prove that
nothing was received, and a handshake costs less than rows in doubt.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import stamina

from pipelines.errors import CutOffError, SettingsError, TracklySyncError
from pipelines.settings import Settings
from pipelines.text.urls import problem_of_base
from pipelines.trackly.failures import Failure, Kind, Unreadable
from pipelines.trackly.rate_limit import Pace
from pipelines.trackly.replies.answer import Answer
from pipelines.trackly.replies.refusals import deprecated, failure_of, safe_words, vendor_error
from pipelines.trackly.retries import (
    FIRST_BACKOFF,
    LONGEST_BACKOFF,
    MOST_JITTER,
    give_up,
    wait_or_error,
    was_cut,
)
from pipelines.trackly.transport.connections import Carrier, Limits
from pipelines.trackly.transport.route import route_to

__all__ = ["Query", "Reply", "TracklyClient", "Unreadable"]

T = TypeVar("T")
Query = Mapping[str, str | int]
"""Parameters of a read."""

_log = logging.getLogger(__name__)
_REFUSE_AS_A_WHOLE = frozenset({401, 403, 413})
_BAD_ANSWERS = frozenset({Kind.TROUBLE, Kind.UNREADABLE, Kind.PAGE})

_LONGEST_CONNECT = 10.0
"""Seconds; enough for lost packets of the handshakes.

Longer waits only delay the error that a host is unreachable.
"""
_OF_ALL = 0.9
"""Largest share of a request's time for its connection.

If the total time ran out instead, the error could not name the connection.
"""
_LARGEST_ANSWER = 5_000_000
"""Bytes of the answer to an import, which names 100 records at most."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A usable reply.

    Attributes:
        value: the result of the `read` function for the body.
        status: HTTP status.
        size: bytes of the body, decompressed.
        sent_at: when the successful attempt began; aware, UTC.
        received_at: when its last byte had arrived; aware, UTC.
        attempts: how many attempts it took, at least 1.
    """

    value: T
    status: int
    size: int
    sent_at: datetime
    received_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call(Generic[T]):
    """A request, and how it may be tried again; see `TracklyClient.get` and `post`."""

    method: str
    path: str
    params: Query
    body: bytes | None
    repeatable: bool
    read: Callable[[bytes], T]
    patient: bool = True
    most_cuts: int | None = None
    before: Callable[[datetime], None] | None = None

    @property
    def name(self) -> str:
        """The request's name for logs and errors.

        Its only values are page numbers, and it has no phone number from a path.
        """
        page = "".join(f" {key}={self.params[key]}" for key in ("page", "per_page") if key in self.params)
        return f"{self.method} {safe_words(self.path)}{page}"

    def may_answer(self, answer: Answer) -> bool:
        """Whether to try the body as an answer, before the status counts as a refusal.

        A read answers with 2xx. The status of a partly failed import is not documented, so its counters are used with
        any status (/api-reference/v2/history/import-sends), except if the complete call was refused.
        """
        if answer.is_success:
            return True
        refused = (
            answer.status in _REFUSE_AS_A_WHOLE
            and vendor_error(answer.body, answer.headers.get("content-type")) is not None
        )
        return self.body is not None and not refused


class TracklyClient:
    """The API of one account, for use as `async with TracklyClient(settings) as client`.

    At most `settings.concurrency` requests are under way. A request that waits for a retry keeps its place, so a
    service in trouble gets fewer requests.

    Attributes:
        requests: attempts made so far.
        retries: attempts after a failed one.
        timeout_seconds: longest wait for the next bytes of a reply.

    Raises:
        SettingsError: no key is set; the base URL is not valid; a proxy or certificates of the environment cannot be
            used.
    """

    def __init__(self, settings: Settings) -> None:
        self.requests = 0
        self.retries = 0
        if problem := problem_of_base(settings.base_url):  # for settings that were built in code
            raise SettingsError(f"TRACKLY_BASE_URL {problem}.", "Correct it.")
        self._base = settings.base_url
        self.host = urlsplit(settings.base_url).netloc
        self.timeout_seconds = settings.timeout_seconds
        self._retry_seconds = settings.retry_seconds
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._pace = Pace(settings.max_requests_per_second)
        route, headers = route_to(self._base), _headers(settings)
        long, short = settings.request_seconds, settings.revenue_seconds
        self._reused = Carrier(self._base, route, headers, _limits(settings, long), keep=True)
        self._fresh = Carrier(self._base, route, headers, _limits(settings, short), keep=False)

    def __repr__(self) -> str:
        return f"TracklyClient({self.host!r})"

    async def __aenter__(self) -> Self:
        # Retries are logged below, with the request's name and without the arguments that stamina would add.
        stamina.instrumentation.set_on_retry_hooks(())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reused.close()
        await self._fresh.close()

    async def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        read: Callable[[bytes], T],
        *,
        patient: bool = True,
    ) -> Reply[T]:
        """Read one resource.

        Args:
            path: below the base URL, beginning with a slash, escaped.
            params: the query.
            read: parses the body of a 2xx; raises Unreadable if the body is not as expected.
            patient: whether to retry a bad answer (5xx, unreadable, a gateway's page); a missing answer is always
                retried.

        Raises:
            SettingsError: the reply is marked as deprecated, as those of v1 are.
            AccessError: 401 or 403, without a retry.
            NotFoundError: 404 or 405.
            RequestError: another refusal, or a redirect.
            ServiceError: no usable answer within the limits for retries.
        """
        call = _Call(
            method="GET",
            path=path,
            params=params,
            body=None,
            repeatable=True,
            read=read,
            patient=patient,
        )
        return await self._run(call)

    async def post(
        self,
        path: str,
        body: bytes,
        read: Callable[[bytes], T],
        *,
        repeatable: bool,
        most_cuts: int | None = None,
        before: Callable[[datetime], None] | None = None,
    ) -> Reply[T]:
        """Write through one of the import endpoints.

        Args:
            path: below the base URL, beginning with a slash.
            body: JSON.
            read: parses the body, whatever the status; raises Unreadable if the body is not an answer.
            repeatable: whether the API skips records that it already has, so that sending twice does no harm. If not,
                only failures that prove that nothing was carried out are retried.
            most_cuts: number of attempts after which a request that is cut off each time is given up, since a smaller
                one may pass; None for the usual number.
            before: called with the time just before each attempt, which may be long after this call, since an earlier
                attempt was refused or the pace made it wait. If it raises, the request ends and nothing was sent.

        Raises:
            SettingsError: the reply is marked as deprecated, as those of v1 are; not for calls that may not be
                repeated.
            AccessError: 401 or 403, without a retry.
            RequestError: another refusal, or a redirect.
            CutOffError: repeatable, and cut off as often as `most_cuts` allows.
            ServiceError: if repeatable, no usable answer within the limits for retries; otherwise, nothing was
                carried out.
            OutcomeUnknown: only if not repeatable: the call may or may not have been carried out.
        """
        call = _Call(
            method="POST",
            path=path,
            params={},
            body=body,
            repeatable=repeatable,
            read=read,
            most_cuts=most_cuts,
            before=before,
        )
        return await self._run(call)

    async def _run(self, call: _Call[T]) -> Reply[T]:
        """Make attempts until there is a reply or an error; stamina waits, `wait_or_error` decides."""
        what = f"{call.name} at {self.host}"
        attempts = 0

        def judge(failure: Exception) -> bool | float:
            if not isinstance(failure, Failure):
                return False
            decision = self._decide(call, failure, attempts, started, what)
            if isinstance(decision, TracklySyncError):
                return False
            self.retries += 1
            _log_retry(what, failure, attempts, decision)
            return decision

        async with self._slots:
            started = time.monotonic()
            try:
                async for attempt in stamina.retry_context(
                    on=judge,
                    attempts=None,
                    timeout=None,
                    wait_initial=FIRST_BACKOFF,
                    wait_max=LONGEST_BACKOFF,
                    wait_jitter=MOST_JITTER,
                ):
                    with attempt:
                        attempts += 1
                        return await self._attempt(call, attempts)
            except Failure as failure:
                decision = self._decide(call, failure, attempts, started, what)
                final = give_up(failure, attempts=attempts, what=what)
                error = decision if isinstance(decision, TracklySyncError) else final
                raise error from failure
        raise AssertionError("the loop ends by returning or raising")

    def _decide(
        self, call: _Call[Any], failure: Failure, attempts: int, started: float, what: str
    ) -> bool | float | TracklySyncError:
        if not call.patient and failure.kind in _BAD_ANSWERS:
            return give_up(failure, attempts=attempts, what=what)
        if call.repeatable and call.most_cuts is not None and attempts >= call.most_cuts and was_cut(failure):
            return CutOffError(f"{what}: {failure.reason}", "Run it again later.", seconds=failure.seconds)
        left = self._retry_seconds - (time.monotonic() - started)
        return wait_or_error(failure, attempts=attempts, left=left, repeatable=call.repeatable, what=what)

    async def _attempt(self, call: _Call[T], number: int) -> Reply[T]:
        """Send one request and return its reply, or raise a Failure."""
        await self._pace.turn()
        carrier = self._reused if call.repeatable else self._fresh
        url = f"{self._base}{call.path}{f'?{urlencode(call.params)}' if call.params else ''}"
        self.requests += 1
        sent_at, began, seconds = datetime.now(UTC), time.monotonic(), None
        if call.before:
            call.before(sent_at)
        try:
            answer = await carrier.send(call.method, url, call.body)
            seconds, received_at = time.monotonic() - began, datetime.now(UTC)
            if marked := deprecated(answer, self.host):
                raise marked
            value = _value(call, answer, received_at)
        except Failure as failure:
            failure.sent_at = sent_at
            failure.seconds = time.monotonic() - began if seconds is None else seconds
            raise
        return Reply(value, answer.status, len(answer.body), sent_at, received_at, number)


def _log_retry(what: str, failure: Failure, attempts: int, wait: bool | float) -> None:
    """Log that a failed attempt is made again: after the usual backoff (True), or after so many seconds."""
    pause = "" if wait is True else f" in {wait:g} s"
    figures = {"event": "retry", "attempt": attempts}
    text = "%s: attempt %d failed (%s), trying again%s"
    _log.info(text, what, attempts, failure.reason, pause, extra=figures)


def _limits(settings: Settings, total_seconds: float) -> Limits:
    return Limits(
        connections=settings.concurrency,
        connect_seconds=min(settings.timeout_seconds, _LONGEST_CONNECT, _OF_ALL * total_seconds),
        silence_seconds=settings.timeout_seconds,
        total_seconds=total_seconds,
        page_bytes=settings.max_reply_mb * 1_000_000,
        answer_bytes=_LARGEST_ANSWER,
    )


def _headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every request; built when needed, so that no attribute of ours holds the key."""
    return {
        "X-Api-Key": settings.require_key(),
        "Accept": "application/json",
        "User-Agent": f"trackly-sync/{version('trackly-sync')}",
    }


def _value(call: _Call[T], answer: Answer, received_at: datetime) -> T:
    """Return the value of the reply, or raise a Failure."""
    if call.may_answer(answer):
        try:
            return call.read(answer.body)
        except Unreadable as problem:
            if answer.is_success:
                reason = f"status {answer.status}: {problem}"
                raise Failure(Kind.UNREADABLE, reason, status=answer.status) from problem
    raise failure_of(answer, received_at)
