"""Replies before they are read or written down: without what is not to be kept of personal data.

What does not belong here: what that is, and how it is filtered (see `pipelines.privacy`).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipelines.privacy import Privacy
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.pages import read_page
from pipelines.trackly.salvage import tolerant

T = TypeVar("T")


def reader(
    privacy: Privacy, name: str, read: Callable[[bytes], Awaitable[T]]
) -> Callable[[bytes], Awaitable[T]]:
    """A function that reads replies, made to see only what may be kept, and also those with rows that are no JSON.

    Args:
        privacy: what is kept.
        name: the dataset's name in `PULLED`.
        read: takes a reply's body; raises Unreadable.
    """

    async def read_kept(body: bytes) -> T:
        return await read(kept(privacy, name, body))

    async def read_any(body: bytes) -> T:
        return await tolerant(body, ENDPOINTS[name].envelope, read_kept)

    return read_any


def kept(privacy: Privacy, name: str, body: bytes) -> bytes:
    """A reply as it may be kept.

    Args:
        privacy: what is kept.
        name: the dataset's name in `PULLED`.
        body: the reply's.

    Raises:
        Unreadable: it is not the JSON expected, so that it cannot be filtered; where all is kept, nobody looks.
    """
    if not privacy.filters(name):
        return body
    envelope = ENDPOINTS[name].envelope
    read_page(envelope)(body)
    return privacy.filtered(body, envelope)
