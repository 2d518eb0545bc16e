"""The states of a call, and the outcome that each gives its rows; this module does not need SQLAlchemy.

What does not belong here: the moves between states (`ledger.ledger`), and rows' own outcomes (`row_outcome`).
"""

from enum import StrEnum

from pipelines.databases.sqlite_reader import Remedies
from schemas.values.outcomes import Outcome

REVENUE = "revenue"
"""The dataset whose rows the API counts again if they are sent again."""

VERSION = "0011"
"""The newest migration of the tables."""

REMEDIES = Remedies(
    "Check that it can be reached and written, and that the disk has room; then push again: nothing is sent twice.",
    "Restore the latest backup of the ledger. Without a backup, move it away with every file whose name begins like "
    "its own (on a server, drop its tables), then take over what was pushed: trackly-sync adopt; nothing is sent "
    "twice.",
)
"""Remedies if the ledger cannot be used."""


class ChunkState(StrEnum):
    """The state of a call."""

    INTENDED = "intended"
    ANSWERED = "answered"
    LOST = "lost"
    REFUSED = "refused"


def of_call(dataset: str, state: str) -> Outcome:
    """Return the outcome that the state of a call gives to rows without an outcome of their own."""
    if state == ChunkState.ANSWERED:
        return Outcome.ACCEPTED
    return Outcome.IN_DOUBT if dataset == REVENUE else Outcome.PENDING
