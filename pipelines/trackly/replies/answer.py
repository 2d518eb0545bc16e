"""A reply as received. What does not belong here: what it means (`refusals`, `pages`, `trackly.imports`)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, read to its end.

    Attributes:
        status: HTTP status.
        headers: by name, in any case of letters.
        body: decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300
