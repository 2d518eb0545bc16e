"""Sends events to an endpoint: signed, with the documented retries, and then given up.

An endpoint that fails repeatedly is paused without notice, and events during the pause are not sent. The worst day on
demand: repeated bodies with other details, wrong order, forgeries, junk. What does not belong here: events in the
account (`messages`).
"""

import base64
import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Row = dict[str, Any]

RETRIES = (60.0, 300.0, 900.0, 3_600.0, 7_200.0)
"""Seconds from a failed attempt to the next (/api-reference/v2/webhooks/events)."""

_TIMEOUT_SECONDS = 30.0
_OK = range(200, 300)


@dataclass
class Endpoint:
    """The endpoint for events, and their form.

    Attributes:
        url: of http.
        secret: signs the bodies.
        encoding: hex or base64; the vendor does not say which.
        prefix: the text before the signature.
        scale: duration of a documented second, in seconds.
        pause_after: failures in a row until the endpoint is paused; the vendor does not document the number.
    """

    url: str
    secret: str
    encoding: str = "hex"
    prefix: str = ""
    scale: float = 1.0
    pause_after: int = 100


@dataclass
class Mood:
    """Shares of events with a disturbance.

    Attributes:
        repeated: the same body comes again.
        changed: the same happening comes again, with other details.
        late: the event is held back, so that later ones overtake it.
        forged: a similar event is sent with a wrong signature, or none.
        junk: a signed body that is not an event is sent.
    """

    repeated: float = 0.0
    changed: float = 0.0
    late: float = 0.0
    forged: float = 0.0
    junk: float = 0.0


WORST_DAY = Mood(repeated=0.3, changed=0.3, late=0.3, forged=0.2, junk=0.1)


@dataclass(order=True)
class _Due:
    at: float
    number: int
    body: bytes = field(compare=False)
    attempt: int = field(compare=False, default=0)
    signature: str | None = field(compare=False, default=None)
    """None for the right signature; otherwise a forgery, which is not retried."""


@dataclass
class Attempt:
    """One request to the endpoint: its body, whether it was signed by us, and the answer (0: none)."""

    body: bytes
    genuine: bool
    status: int


class Webhooks:
    """The events of one account; a thread of its own sends them.

    Args:
        endpoint: the endpoint.
        mood: disturbances of events.
        seed: of the random generator.
    """

    def __init__(self, endpoint: Endpoint, mood: Mood | None = None, seed: int = 7) -> None:
        self.endpoint, self.mood = endpoint, mood or Mood()
        self.log: list[Attempt] = []
        self.lost: list[bytes] = []
        self.paused = False
        self._failures = 0
        self._chance = random.Random(seed)  # noqa: S311 - no secrets here
        self._numbers = itertools.count()
        self._due: list[_Due] = []
        self._closed = False
        self._busy = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def send_event(self, event: Row, after: float = 0.0) -> None:
        """Send an event after a number of documented seconds; its timestamp is the time of its happening."""
        body, scale, mood = _encoded(event), self.endpoint.scale, self.mood
        due = after * scale
        if self._happens(mood.late):
            due += 30 * scale
        self._put(body, due)
        if self._happens(mood.repeated):
            self._put(body, due + 5 * scale)
        if self._happens(mood.changed):
            self._put(_encoded(self._with_other_details(event)), due + 10 * scale)
        if self._happens(mood.forged):
            forgery = _encoded({**event, "status": "delivered", "keyword": "FORGED"})
            self._put(forgery, due, self._chance.choice(["", "0" * 64, "bm90IHNpZ25lZA=="]))
        if self._happens(mood.junk):
            self._put(self._chance.choice([b"\xff\x00", b"{", b"[]", b'{"event": "moonrise"}']), due)

    def acknowledged(self) -> list[bytes]:
        """Return the bodies that were answered with 2xx, in order, one per answer."""
        return [one.body for one in self.log if one.genuine and one.status in _OK]

    def resume(self) -> None:
        """End a pause; events of the pause are not sent."""
        with self._change:
            self.paused, self._failures = False, 0

    def settled(self, seconds: float = 60.0) -> bool:
        """Wait until no event is left to send; return whether this happened in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._due and not self._busy, seconds)

    def close(self) -> None:
        """Stop sending."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share

    def _with_other_details(self, event: Row) -> Row:
        changes: list[Row] = [{"attempt": 2}, {"provider": "another"}]
        if "status_detail" in event:
            changes.append({"status_detail": "SEEN_AGAIN"})
        return {**event, **self._chance.choice(changes)}

    def _put(self, body: bytes, after: float, signature: str | None = None, attempt: int = 0) -> None:
        with self._change:
            if self.paused and signature is None:
                self.lost.append(body)
                return
            due = _Due(time.monotonic() + after, next(self._numbers), body, attempt, signature)
            heapq.heappush(self._due, due)
            self._change.notify_all()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            status = self._send(due)
            self.log.append(Attempt(due.body, due.signature is None, status))
            if due.signature is None:
                self._after(due, status)
            with self._change:
                self._busy = False
                self._change.notify_all()

    def _next(self) -> _Due | None:
        """Return the next event to send; None after `close`."""
        with self._change:
            while not self._closed:
                wait = self._due[0].at - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._busy = True
                    return heapq.heappop(self._due)
                self._change.wait(wait)
            return None

    def _after(self, due: _Due, status: int) -> None:
        """Plan a retry, or give up; pause an endpoint that has failed too often in a row."""
        with self._change:
            self._failures = 0 if status in _OK else self._failures + 1
            if self._failures >= self.endpoint.pause_after:
                self.paused = True
                self.lost += [due.body, *(one.body for one in self._due if one.signature is None)]
                self._due.clear()
                return
        if status not in _OK:
            if due.attempt == len(RETRIES):
                self.lost.append(due.body)
            else:
                self._put(due.body, RETRIES[due.attempt] * self.endpoint.scale, None, due.attempt + 1)

    def _send(self, due: _Due) -> int:
        signature = self._signature(due.body) if due.signature is None else due.signature
        headers = {
            "Content-Type": "application/json",
            **({"X-Trackly-Signature": signature} if signature else {}),
        }
        where = urlsplit(self.endpoint.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_TIMEOUT_SECONDS)
        with suppress(OSError, http.client.HTTPException):
            try:
                connection.request("POST", where.path or "/", due.body, headers)
                return connection.getresponse().status
            finally:
                connection.close()
        return 0

    def _signature(self, body: bytes) -> str:
        digest = hmac.new(self.endpoint.secret.encode(), body, hashlib.sha256).digest()
        written = digest.hex() if self.endpoint.encoding == "hex" else base64.b64encode(digest).decode()
        return self.endpoint.prefix + written


def _encoded(event: Row) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()
