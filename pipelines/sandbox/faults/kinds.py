"""Faults on demand: which requests they strike, and how often.

A fault is written as `KIND[,name=value]...`, such as `503,path=/contacts,times=2`. What does not belong here:
carrying a fault out (see `apply`, `flaws`, `replies`).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.errors import UsageError
from pipelines.text.exact import is_number

KINDS = {
    "latency": "take `seconds`, up to `jitter` more, and `per_row` for each record, then do the work and answer",
    "stall": "do the work, then take as long as with latency to answer",
    "gateway": "answer `status` with `body` (html, empty, json) after `seconds`; do the work at `commit`, if given",
    "drip": "do the work, send the reply at `value` bytes a second",
    "limit": "a proxy's HTML page with 413 for bodies above `value` bytes",
    "429": "too many requests; with Retry-After if `seconds` is given",
    "500": "server error as JSON",
    "error": "refuse with `status` and `code`, in the vendor's form, without doing the work",
    "502": "a proxy's HTML page",
    "503": "service unavailable as JSON",
    "reset-before": "abort the connection before the work is done",
    "reset-after": "do the work, then abort the connection",
    "half": "import the first half of the records, then abort the connection",
    "truncate": "do the work, send half of the body",
    "html": "do the work, answer 200 with HTML",
    "shape": "do the work, answer JSON of another shape",
    "zeros": "do the work, answer with counters that are all 0",
    "rewritten": "answer with the same values in other JSON: keys the other way round, escapes, 1.0 for 1",
    "repeat": "serve page 1 whatever page is asked for",
    "total": "claim `value` rows in all",
    "no-pages": "claim total_pages 0",
    "no-total": "claim no number of rows at all",
    "page-size": "serve `value` rows a page, whatever is asked for",
    "cut": "serve the first `value` rows of any query, and claim all",
    "more": "claim `value` rows more than there are",
    "broken-keys": "serve a share `rate` of the rows without a usable key; with `value` 1 all with the same one",
    "blank-times": "serve an empty text for every time that there is none of",
    "null-rows": "serve null for an empty array of rows",
    "no-rows": "leave an empty array of rows out",
    "revoke": "refuse the key from then on",
    "save-error": "fail single records with save_error, as often as `rate` says",
}


BODIES = ("html", "empty", "json")
"""Bodies of a gateway's own reply; the JSON is not in the vendor's form."""


_PER_ROW = ("save-error", "broken-keys")
"""The kinds whose `rate` is a share of rows, not of requests."""


@dataclass(slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: one of KINDS.
        method: only requests of this method.
        path: only requests whose path contains this.
        skip: number of matching requests to let pass first.
        times: number of matching requests to strike; None for all.
        rate: share of matching requests that are struck, or of rows.
        seconds: delay, or Retry-After.
        value: the total to claim, a number of rows, or bytes.
        jitter: longest random delay beyond `seconds`.
        per_row: delay for each record of an import.
        status: the gateway's status, or that of an `error`.
        body: the gateway's body, one of BODIES.
        code: of an `error`.
        commit: seconds after which the account does the work that the gateway did not wait for; None for never.
        seen: how many matching requests there were so far.
    """

    kind: str
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int | None = None
    rate: float = 1.0
    seconds: float | None = None
    value: int = 0
    jitter: float = 0.0
    per_row: float = 0.0
    status: int = 504
    body: str = "html"
    code: str = ""
    commit: float | None = None
    seen: int = 0


@dataclass(slots=True)
class Faults:
    """The faults in force, with a random generator of their own so that runs repeat."""

    active: list[Fault] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - no secrets here
    revoked: bool = False
    """Whether the key has been refused once; it is then always refused."""

    def strike(self, method: str, path: str) -> list[Fault]:
        """Return the faults that strike this request."""
        return [fault for fault in self.active if self._strikes(fault, method, path)]

    def delay(self, fault: Fault, records: int) -> float:
        """Return the delay of a request with a number of records."""
        return (fault.seconds or 0) + self.chance.random() * fault.jitter + records * fault.per_row

    def _strikes(self, fault: Fault, method: str, path: str) -> bool:
        if fault.method not in ("", method) or fault.path not in path:
            return False
        fault.seen += 1
        number = fault.seen - fault.skip
        if number < 1 or (fault.times is not None and number > fault.times):
            return False
        return fault.kind in _PER_ROW or fault.rate >= 1 or self.chance.random() < fault.rate


def parse_fault(text: str) -> Fault:
    """Read a fault as the command line and the control route write it.

    Raises:
        UsageError: it is not a fault; the message lists the kinds or the names.
    """
    kind, *settings = (item.strip() for item in text.split(","))
    if kind not in KINDS:
        raise UsageError(f"{kind!r} is not a kind of fault.", f"Kinds: {', '.join(KINDS)}.")
    fault = Fault(kind)
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in _READERS:
            raise UsageError(f"{name!r} is not a setting of a fault.", f"Settings: {', '.join(_READERS)}.")
        try:
            setattr(fault, name, _READERS[name](value))
        except ValueError:
            remedy = f"One of {', '.join(BODIES)}." if name == "body" else "Write it as 3 or 0.5."
            raise UsageError(f"{setting!r}: {value!r} cannot be used.", remedy) from None
    return fault


def _whole(text: str) -> int:
    if not is_number(text, whole=True) or int(text) < 0:
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not is_number(text, whole=False) or float(text) < 0:
        raise ValueError(text)
    return float(text)


def _body(name: str) -> str:
    if name not in BODIES:
        raise ValueError(name)
    return name


_READERS: dict[str, Callable[[str], object]] = {
    "method": str.upper,
    "path": str,
    "skip": _whole,
    "times": _whole,
    "rate": _number,
    "seconds": _number,
    "value": _whole,
    "jitter": _number,
    "per_row": _number,
    "status": _whole,
    "body": _body,
    "code": str,
    "commit": _number,
}
"""The settings of a fault, each with what reads its text; ValueError where it cannot be used."""
