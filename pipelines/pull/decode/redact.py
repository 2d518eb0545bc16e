"""Replies before they are decoded or written down: without what is not to be kept of personal data.

What does not belong here: what that is, and how it is filtered (see `pipelines.privacy`).
"""

from collections.abc import Callable
from typing import TypeVar

from pipelines.privacy import Privacy
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.pages import read_page
from pipelines.trackly.salvage import tolerant

T = TypeVar("T")


def read_redacted(privacy: Privacy, name: str, body: bytes, read: Callable[[bytes], T]) -> T:
    """Read a reply without what may not be kept, also one with rows that are no JSON.

    Args:
        privacy: what may be kept.
        name: the dataset's name in `PULLED`.
        body: the reply's.
        read: takes a body that may be kept; raises Unreadable.

    Raises:
        Unreadable: `read` does not take it, nor the same with quotes round the rows that are no JSON.
    """
    return tolerant(body, ENDPOINTS[name].envelope, lambda text: read(redacted(privacy, name, text)))


def redacted(privacy: Privacy, name: str, body: bytes) -> bytes:
    """A reply as it may be kept.

    Args:
        privacy: what may be kept.
        name: the dataset's name in `PULLED`.
        body: the reply's.

    Raises:
        Unreadable: it is not the JSON expected, so that it cannot be filtered. Where all may be kept, that is
            not looked at.
    """
    if not privacy.filters(name):
        return body
    envelope = ENDPOINTS[name].envelope
    read_page(envelope)(body)
    return privacy.filtered(body, envelope)
