"""How often a pending row is sent again, and how large its next chunk may be.

What does not belong here: the outcome that an answer gives a row (`send.answers`), and repeating a failed request
(`pipelines.trackly.retries`).
"""

import math

from pipelines.push.outcomes import NO_ANSWER, NOT_NAMED, NOT_SENT
from pipelines.trackly.imports import MAX_NAMED_ERRORS, MAX_RECORDS

TRANSIENT = frozenset({"save_error", "message_not_found"})
"""Codes of errors that may pass: a failure on the server's side, and a message that the server does not see yet.

Clicks and revenue are sent only after their send is accepted, so a missing message should appear soon.
"""


def next_limit(code: str, rows: int) -> int:
    """Return the most rows of the next chunk with a pending row, small enough that its errors are named.

    Args:
        code: why the row is pending.
        rows: how many rows its last chunk had.
    """
    if code == NOT_NAMED:
        return next((limit for limit in (MAX_NAMED_ERRORS, 10) if rows > limit), 1)
    return MAX_RECORDS if code in (NO_ANSWER, NOT_SENT) else MAX_NAMED_ERRORS


def most_tries(code: str) -> float:
    """Return after how many calls a row that is still pending is rejected, with the reason that it has."""
    if code in TRANSIENT:
        return 4
    return 8 if code == NOT_NAMED else math.inf
