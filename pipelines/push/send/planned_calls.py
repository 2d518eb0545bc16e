"""The calls that a push would make, and the time of earlier calls: for a plan.

What does not belong here: making the calls (`sender`), and the plan (`pipelines.push.plan`).
"""

from itertools import chain
from typing import NamedTuple

from pipelines.push.checks.compared import Compared
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.calls import call_seconds
from pipelines.push.send.calls.chunks import chunks
from pipelines.push.send.calls.sizes import Sizes
from pipelines.push.send.queries import Queue
from pipelines.push.stage.totals import TotalsInStage


class PlannedCalls(NamedTuple):
    """The calls that a push would make.

    Attributes:
        number: how many.
        bytes: size of their bodies together.
        first: the first body, as JSON; "" if there is none. It holds personal data.
    """

    number: int
    bytes: int
    first: str


def count_calls(compared: Compared) -> PlannedCalls:
    """Return the calls that a push would make, if none has to be repeated."""
    queue = Queue(compared, TotalsInStage.load(compared.connection, None))
    number, size, first = 0, 0, ""
    for chunk in chain.from_iterable(chunks(wave, Sizes()) for wave in queue.new()):
        first = first or chunk.body().decode()
        number += 1
        size += chunk.size
    return PlannedCalls(number, size, first)


def measured_seconds(ledger: Ledger | None, dataset: str) -> float | None:
    """Return the average seconds of earlier calls of a dataset; None if there were none."""
    if ledger is None:
        return None
    with ledger.begin() as connection:
        return call_seconds(connection, dataset)
