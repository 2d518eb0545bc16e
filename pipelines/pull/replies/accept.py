"""One body taken as a page: without what may not be kept, decoded, and checked to be the page asked for.

A row that is no JSON (half an emoji, NaN) is put in quotes, so that it costs no other row. What does not belong here:
asking (`fetch`), and the single steps (`decode.redact`, `decode.decoder`,
`pipelines.trackly.replies.broken_rows`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pipelines.privacy import Privacy
from pipelines.pull.decode.redact import redacted
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.failures import Unreadable
from pipelines.trackly.replies.broken_rows import NOT_JSON, quoted, without_mark

Check = Callable[[Seen], None]
"""Raises Unreadable where a reply is not the page asked for."""


class HasSeen(Protocol):
    """What a decoder makes of a reply."""

    @property
    def seen(self) -> Seen:
        """What the scan needs of it."""


T = TypeVar("T", bound=HasSeen)


@dataclass(frozen=True, slots=True)
class Acceptance(Generic[T]):
    """How the replies of a dataset are accepted.

    Attributes:
        privacy: what may be kept.
        name: the dataset's name in `PULLED`.
        decode: takes a text that may be kept; raises Unreadable.
    """

    privacy: Privacy
    name: str
    decode: Callable[[bytes], T]

    def accepted(self, check: Check, body: bytes) -> tuple[bytes, T]:
        """A reply's text as it may be kept, and what was decoded of it.

        Args:
            check: whether it is the page asked for.
            body: the reply's.

        Raises:
            Unreadable: it is not the JSON expected, also with such rows in quotes; or not the page asked for.
        """
        body = without_mark(body)
        try:
            text, decoded = self._read(body)
        except (Unreadable, *NOT_JSON) as problem:
            readable = quoted(body, ENDPOINTS[self.name].envelope)
            if readable == body:
                raise problem if isinstance(problem, Unreadable) else Unreadable("not JSON") from None
            text, decoded = self._read(readable)
        check(decoded.seen)
        return text, decoded

    def _read(self, body: bytes) -> tuple[bytes, T]:
        text = redacted(self.privacy, self.name, body)
        return text, self.decode(text)
