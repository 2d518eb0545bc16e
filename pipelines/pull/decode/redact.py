"""Removes personal data that may not be kept from replies, before they are decoded or written.

What does not belong here: which data that is, and how it is filtered (see `pipelines.privacy`).
"""

from pipelines.privacy import Privacy
from pipelines.pull.endpoints import ENDPOINTS
from pipelines.trackly.replies.pages import read_page


def redacted(privacy: Privacy, name: str, body: bytes) -> bytes:
    """Return a reply as it may be kept.

    Args:
        privacy: what may be kept.
        name: the dataset's name in `PULLED`.
        body: of the reply.

    Raises:
        Unreadable: the reply is not the expected JSON, so it cannot be filtered. If everything may be kept, this is
            not checked.
    """
    if not privacy.filters(name):
        return body
    envelope = ENDPOINTS[name].envelope
    read_page(envelope)(body)
    return privacy.filtered(body, envelope)
