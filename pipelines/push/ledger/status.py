"""Reads figures of the ledger fast: an SQLite file is read without SQLAlchemy.

What does not belong here: anything that imports pandas, pandera or duckdb, and the statements (`db.figures`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.databases.sqlite_reader import asking
from pipelines.push.ledger.db.call_states import REMEDIES
from pipelines.push.ledger.db.figures import Figures
from pipelines.push.outcomes import Outcomes
from pipelines.settings import Settings
from pipelines.storage import is_there
from pipelines.text.urls import plain_file
from schemas.registry import PUSHED


@contextmanager
def figures(settings: Settings) -> Iterator[Figures | None]:
    """Yield a consistent view of the ledger, upgraded if an older program made it; None if there is none yet.

    Raises:
        StorageError: the ledger cannot be read, or a newer program wrote it.
    """
    file = plain_file(settings.ledger)
    if file and not is_there(file):
        yield None
        return
    if file:
        with asking(file, REMEDIES) as ask:
            found = Figures(ask, settings.part)
            if found.is_current:
                yield found
                return
    from pipelines.push.ledger.opening import existing_ledger  # noqa: PLC0415 - SQLAlchemy takes a third of a start

    with existing_ledger(settings) as ledger:
        if ledger is None:
            yield None
            return
        with ledger.figures() as found:
            yield found


def differing(settings: Settings) -> dict[str, int]:
    """Return how many rows of the input differ from what was sent, by dataset.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as found:
        return dict.fromkeys(PUSHED, 0) | (found.differing() if found else {})


def by_hand(settings: Settings) -> int:
    """Return how many rows of revenue are in doubt that no push settles.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as found:
        return found.by_hand() if found else 0


def doubt_outside(settings: Settings) -> dict[str, int]:
    """Return how many rows in doubt are not in the outcomes of the current input, for each dataset that has some.

    Such rows have left the input since they were sent, or are quarantined in it now.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as found:
        return found.doubt_outside() if found else {}


def outcomes(settings: Settings) -> dict[str, Outcomes]:
    """Return the outcomes of the current history input, by dataset; all zero before the first push.

    Raises:
        StorageError: the ledger cannot be read.
    """
    nothing = {name: Outcomes() for name in PUSHED}
    with figures(settings) as found:
        return nothing | (found.outcomes() if found else {})
