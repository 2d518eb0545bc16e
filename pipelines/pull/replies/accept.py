"""Accepts one body as a page.

Removes data that may not be kept, decodes the body, checks that it is the requested page.

A row that is not JSON (half an emoji, NaN) is put in quotes, so that it does not affect other rows. What does not
belong here: requests (`fetch`), and the single steps (`decode.redact`, `decode.decoder`,
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
"""Raises Unreadable if a reply is not the requested page."""


class HasSeen(Protocol):
    """The result of a decoder."""

    @property
    def seen(self) -> Seen:
        """The part that the scan needs."""


T = TypeVar("T", bound=HasSeen)


@dataclass(frozen=True, slots=True)
class Acceptance(Generic[T]):
    """Accepts the replies of a dataset.

    Attributes:
        privacy: what may be kept.
        name: the dataset's name in `PULLED`.
        decode: decodes a text that may be kept; raises Unreadable.
    """

    privacy: Privacy
    name: str
    decode: Callable[[bytes], T]

    def accepted(self, check: Check, body: bytes) -> tuple[bytes, T]:
        """Return a reply's text as it may be kept, and its decoded value.

        Args:
            check: raises if the reply is not the requested page.
            body: of the reply.

        Raises:
            Unreadable: the reply is not the expected JSON, also with such rows in quotes; or not the requested page.
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
