"""Where a call stands, and what that says of its rows; what can be known without SQLAlchemy.

What does not belong here: the moves between states (`ledger.ledger`), and rows' own outcomes (`row_outcome`).
"""

from enum import StrEnum

from pipelines.databases.sqlite_reader import Remedies
from schemas.values.outcomes import Outcome

REVENUE = "revenue"
"""The dataset whose rows the API counts again when they are sent again."""

VERSION = "0010"
"""The newest migration of the tables."""

REMEDIES = Remedies(
    "See that it can be reached and written to, and that there is room; then push again: nothing is sent twice.",
    "Put the latest backup of the ledger back. Without one, move it away with every file whose name begins like its "
    "own (on a server, drop its tables), then take over what was pushed: trackly-sync adopt; nothing is sent twice.",
)
"""Where the ledger cannot be used."""


class ChunkState(StrEnum):
    """Where a call stands."""

    INTENDED = "intended"
    ANSWERED = "answered"
    LOST = "lost"
    REFUSED = "refused"


def of_call(dataset: str, state: str) -> Outcome:
    """The outcome of rows without one of their own, by the state of their call."""
    if state == ChunkState.ANSWERED:
        return Outcome.ACCEPTED
    return Outcome.IN_DOUBT if dataset == REVENUE else Outcome.PENDING
