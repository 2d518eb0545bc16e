"""The seven outcomes that a history row can have, and which of them belong together.

What does not belong here: how a row gets its outcome (`pipelines.push`), and counts (`pipelines.push.outcomes`).
"""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a history row; every row always has exactly one."""

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
"""A finished push did not import the row, and a person should check it."""


def sql_list(outcomes: Iterable[str]) -> str:
    """Return outcomes as an SQL list, for IN."""
    quoted = ", ".join(f"'{outcome}'" for outcome in outcomes)
    return f"({quoted})"
