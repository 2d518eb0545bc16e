"""Sends one JSON message to one URL within a few seconds, or gives up.

A thread sends the message, and the caller waits for it only up to the limit; otherwise a slow name resolution would
delay a run. The URL is a secret and is in no message. What does not belong here: the text, and the HTTP request
(`trackly.post_elsewhere`).
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

POST_SECONDS = 3.0
"""Longest time for a message."""


def post(url: str, content: Mapping[str, Any]) -> str:
    """Send a message.

    Args:
        url: http or https.
        content: the JSON content.

    Returns:
        Why the message did not arrive, in a few words without the URL; "" if it did. A message that took too long may
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
