"""How often a row is sent again that a call has left pending, and in how large calls.

What does not belong here: what an answer says of a row (`send.answers`), and repeating a request that failed
(`pipelines.trackly.retries`).
"""

import math

from pipelines.push.outcomes import NO_ANSWER, NOT_NAMED, NOT_SENT
from pipelines.trackly.imports import MAX_NAMED_ERRORS, MAX_RECORDS

TRANSIENT = frozenset({"save_error", "message_not_found"})
"""Codes that may pass: a failure on the server's side, and a message that is not to be seen yet.

Clicks and revenue are sent only once their send is accepted, so a message that is not found should be soon.
"""


def next_limit(code: str, rows: int) -> int:
    """The most rows of the next chunk that a pending row may be in, so that its errors are named.

    Args:
        code: why it is pending.
        rows: how many rows its last chunk had.
    """
    if code == NOT_NAMED:
        return next((limit for limit in (MAX_NAMED_ERRORS, 10) if rows > limit), 1)
    return MAX_RECORDS if code in (NO_ANSWER, NOT_SENT) else MAX_NAMED_ERRORS


def most_tries(code: str) -> float:
    """After how many calls a row that is still pending with this code is rejected with the reason it has."""
    return 4 if code in TRANSIENT else 8 if code == NOT_NAMED else math.inf
