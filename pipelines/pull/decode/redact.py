"""Replies before they are decoded or written down: without what is not to be kept of personal data.

What does not belong here: what that is, and how it is filtered (see `pipelines.privacy`).
"""

from pipelines.privacy import Privacy
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.replies.pages import read_page


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
