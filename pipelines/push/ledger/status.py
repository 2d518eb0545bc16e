"""The counts that `status` shows, from the ledger alone and at once.

What does not belong here: anything that imports pandas, pandera or duckdb.
"""

from pipelines.push.ledger.ledger import existing_ledger
from pipelines.push.outcomes import Outcomes
from pipelines.settings import Settings
from schemas.registry import PUSHED


def differing(settings: Settings) -> dict[str, int]:
    """By dataset, how many rows are in the account and say something else in the current input.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with existing_ledger(settings) as ledger:
        return dict.fromkeys(PUSHED, 0) | (ledger.differing() if ledger else {})


def outcomes(settings: Settings) -> dict[str, Outcomes]:
    """The outcomes of the current history input, by dataset; all zero before the first push.

    Raises:
        StorageError: the ledger cannot be read.
    """
    nothing = {name: Outcomes() for name in PUSHED}
    with existing_ledger(settings) as ledger:
        return nothing | (ledger.outcomes() if ledger else {})
