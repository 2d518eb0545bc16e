"""One JSON message to one URL, within a few seconds or not at all.

It is sent on a thread that is not waited for beyond the limit: a host name that is slow to resolve would hold up a
run otherwise. The URL is a secret and is in no message. What does not belong here: the text, and sending it.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

POST_SECONDS = 3.0
"""The longest that a message may take."""


def post(url: str, content: Mapping[str, Any]) -> str:
    """Send a message.

    Args:
        url: http or https.
        content: what is sent as JSON.

    Returns:
        Why it did not arrive, in a few words without the URL; "" where it did. A message that took too long may
        have arrived.
    """
    from pipelines.trackly.post_elsewhere import post_json  # noqa: PLC0415 - status and others send none

    failure = [f"no answer within {POST_SECONDS:g} s"]

    def send() -> None:
        failure[0] = post_json(url, json.dumps(content).encode(), POST_SECONDS)

    thread = threading.Thread(target=send, daemon=True, name="alert")
    thread.start()
    thread.join(POST_SECONDS)
    return failure[0]
