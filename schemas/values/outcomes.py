"""The seven outcomes that a history row can have, and which of them belong together.

What does not belong here: how a row gets its outcome (`pipelines.push`), and counts (`pipelines.push.outcomes`).
"""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a row of history; every row has exactly one, at any moment."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    PARKED = "parked"
    IN_DOUBT = "in_doubt"
    PENDING = "pending"


IN_ACCOUNT = (Outcome.ACCEPTED, Outcome.DUPLICATE)
"""The account has the row."""

MAYBE_IN_ACCOUNT = (*IN_ACCOUNT, Outcome.IN_DOUBT)
"""The account has the row, or may have it."""

LEFT_OUT = (Outcome.REJECTED, Outcome.QUARANTINED, Outcome.PARKED, Outcome.IN_DOUBT)
"""A finished push did not bring the row in, and somebody should look at it."""


def sql_list(outcomes: Iterable[str]) -> str:
    """Outcomes as an SQL list, for IN."""
    quoted = ", ".join(f"'{outcome}'" for outcome in outcomes)
    return f"({quoted})"
