"""One JSON message to one URL, within a few seconds or not at all.

The standard library's client, on a thread that is not waited for beyond the limit: a host name that is slow to
resolve would hold up a run otherwise. The URL is a secret and is in no message. What does not belong here: what is
told.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any

POST_SECONDS = 3.0
"""The longest that a message may take."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET, which would look like success."""

    def redirect_request(  # noqa: PLR6301, RUF100 - urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Follow none."""


def post(url: str, content: Mapping[str, Any]) -> str:
    """Send a message.

    Args:
        url: http or https.
        content: what is sent as JSON.

    Returns:
        Why it did not arrive, in a few words without the URL; "" where it did. A message that took too long may
        have arrived.
    """
    failure = [f"no answer within {POST_SECONDS:g} s"]

    def send() -> None:
        failure[0] = _send(url, content)

    thread = threading.Thread(target=send, daemon=True, name="alert")
    thread.start()
    thread.join(POST_SECONDS)
    return failure[0]


def _send(url: str, content: Mapping[str, Any]) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": "trackly-sync"}
    try:
        request = urllib.request.Request(url, json.dumps(content).encode(), headers)  # noqa: S310 - http(s), by settings
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=POST_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"status {error.code}"
    except urllib.error.URLError as error:
        return f"not reached ({type(error.reason).__name__})"
    except Exception as error:  # noqa: BLE001 - http.client's own, bad URLs, sockets: an alert fails no run
        return type(error).__name__
