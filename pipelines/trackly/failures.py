"""The ways in which an attempt at a request can fail, and what each proves.

    BARRED          nothing was sent, and another attempt would fail in the same way: a certificate, a proxy's log-in
    UNREACHABLE     nothing of the request can have been carried out: it never left, or never complete
    REFUSED         the API's last word, in its own form
    BUSY            429 in the API's own form: refused for now
    DEPRECATED      a reply marked as v1 of the API marks its own, whatever it says
    TROUBLE         5xx or 408, whoever answered
    BROKEN          the connection failed or timed out once the request was on its way
    MALFORMED       a reply whose head breaks the rules of HTTP
    UNREADABLE      2xx, but not the JSON expected
    TOO_LONG        a reply beyond the limit on its size
    PAGE            another status without the API's own form: a page of a gateway or proxy
    PAGE_BUSY       429 of a gateway
    PAGE_FINAL      a gateway's page that the same request would meet again: 413, or TLS that it asks for

Only the first four prove that a write was not carried out. This decides whether a write that the API would count
twice may be sent again. A gateway that gave up waiting may answer with any status while the account continues. What
does not belong here: whether an attempt is retried (`retries`), and the texts of refusals (`replies.refusals`).
"""

import enum
from datetime import datetime

from pipelines.errors import TracklySyncError


class Unreadable(Exception):  # noqa: N818 - what a reader says of a body, and not an error of the tree
    """Raised if a body is not the expected JSON: cut off, HTML, or of another shape.

    The `read` functions that the client is given raise it; the client turns it into a retry or an error of the tree.
    Its text is a short reason without any part of the body.
    """


class Kind(enum.Enum):
    """The families of failure, as drawn in the module's docstring."""

    BARRED = enum.auto()
    UNREACHABLE = enum.auto()
    REFUSED = enum.auto()
    BUSY = enum.auto()
    DEPRECATED = enum.auto()
    TROUBLE = enum.auto()
    BROKEN = enum.auto()
    MALFORMED = enum.auto()
    UNREADABLE = enum.auto()
    TOO_LONG = enum.auto()
    PAGE = enum.auto()
    PAGE_BUSY = enum.auto()
    PAGE_FINAL = enum.auto()


PROOFS_OF_NOTHING_DONE = frozenset({Kind.BARRED, Kind.UNREACHABLE, Kind.REFUSED, Kind.BUSY})
"""The kinds that prove that the account did not carry out the request."""


class Failure(Exception):  # noqa: N818 - evidence of one attempt, inside this room only
    """One failed attempt.

    Args:
        kind: its family.
        reason: a few words for messages and logs, without secrets or personal data.
        retry_after: seconds that the service asked to wait, if it did.
        error: the error to raise if the failure is final; None for the usual one.
        status: of the reply, if one came.

    Attributes:
        sent_at: when the attempt began, once known.
        seconds: duration of the attempt until it failed.
    """

    def __init__(
        self,
        kind: Kind,
        reason: str,
        *,
        retry_after: float | None = None,
        error: TracklySyncError | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.retry_after = retry_after
        self.error = error
        self.status = status
        self.sent_at: datetime | None = None
        self.seconds = 0.0
