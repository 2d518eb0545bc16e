"""Every error that Trackly Sync raises on purpose, as one tree, grouped by what the reader must do next.

    TracklySyncError
    ├── SettingsError      a setting is missing or malformed: set it                       exit 2
    ├── UsageError         the command or its input files cannot be used: correct them     exit 2
    ├── AccessError        the API refused the key or the account: correct the access      exit 1
    │   └── NotEnabledError  the account does not have the product that this is part of    exit 1
    ├── RequestError       the API refused the request itself: repeating it is useless     exit 1
    │   ├── NotFoundError  the path or the resource does not exist in this API or account  exit 1
    │   └── TooLargeError  the body is too large: send less in one call                    exit 1
    ├── ServiceError       no usable answer within the bounds of retrying: try again later exit 1
    │   ├── CutOffError    a repeatable write was cut off: send less in one call           exit 1
    │   └── OutcomeUnknown a write was sent and no usable answer came back                 exit 1
    ├── DataError          the data broke a limit, nothing was published: check the data   exit 1
    ├── StorageError       the disk or a file on it failed: make room or fix permissions   exit 1
    ├── NothingYetError    the command's input does not exist yet: pull or push first      exit 1
    └── BusyError          another process holds the lock: wait for it                     exit 1

Each carries a one-line message and a remedy. What does not belong here: codes that a single record can be
refused with (those are outcomes in the ledger, not exceptions).
"""

from datetime import datetime
from typing import Any

from pipelines.process.exit_codes import FAILED, USAGE


class TracklySyncError(Exception):
    """Base of the tree.

    Args:
        message: what went wrong, one line, without secrets or personal data.
        remedy: what the reader should do about it, one line; may be empty.
    """

    exit_code = FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["TracklySyncError"], tuple[str, str], dict[str, Any]]:
        # so that it crosses from a child process complete, with what a subclass adds
        return type(self), (self.message, self.remedy), vars(self)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsError(TracklySyncError):
    """A setting is missing or malformed; the message names it."""

    exit_code = USAGE


class UsageError(TracklySyncError):
    """The command line, or a file that it names, cannot be used as it is."""

    exit_code = USAGE


class AccessError(TracklySyncError):
    """The API refused the key (401) or the account (403)."""


class NotEnabledError(AccessError):
    """The account does not have the product that a resource is part of (403 with the code <product>_not_enabled)."""


class RequestError(TracklySyncError):
    """The API refused the request itself (400, 404, 413, ...); sending it again would not help."""


class NotFoundError(RequestError):
    """The API has no such path or resource (404), or none for this method (405)."""


class TooLargeError(RequestError):
    """The body is larger than the API, or a gateway in front of it, accepts (413): a smaller one may pass."""


class ServiceError(TracklySyncError):
    """No usable answer: unreachable, time-outs, 5xx, 429 or unreadable bodies beyond the retry bounds."""


class CutOffError(ServiceError):
    """A repeatable call was cut off after some time, more than once: a smaller one may pass.

    Args:
        message: as for every error.
        remedy: as for every error.
        seconds: how long the last attempt had lasted.
    """

    def __init__(self, message: str, remedy: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(message, remedy)
        self.seconds = seconds


class OutcomeUnknown(ServiceError):  # noqa: N818 - a name for a state, not only for a failure
    """A write left this machine and no usable answer came back: it may or may not have been carried out.

    Args:
        message: as for every error.
        remedy: as for every error.
        seconds: how long the call had lasted when it was cut off, or answered unusably.
        sent_at: when the call began; aware, UTC. None if the error stands for several calls.
        status: the HTTP status of the unusable answer; None if no answer came.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        seconds: float = 0.0,
        sent_at: datetime | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, remedy)
        self.seconds = seconds
        self.sent_at = sent_at
        self.status = status


class DataError(TracklySyncError):
    """Rows or counts broke a limit, so nothing was published."""


class StorageError(TracklySyncError):
    """Reading or writing a local file failed (disk full, read-only, damaged)."""


class NothingYetError(TracklySyncError):
    """The command's input does not exist yet (no pull, no earlier snapshot, no run)."""


class BusyError(TracklySyncError):
    """Another process is doing this work and holds its lock."""
