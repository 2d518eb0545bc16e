"""Completes the records of pushes whose process was killed, with figures of their calls from the ledger.

What does not belong here: the figures of a push that ends (`push.figures`), and the records (`pipelines.runs`).
"""

from contextlib import suppress

import msgspec

from pipelines.errors import StorageError
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.queries.run_counts import by_outcome, sent_by
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.runs.activity_state import complete
from pipelines.runs.recording import details
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord
from schemas.registry import PUSHED
from schemas.values.outcomes import LEFT_OUT

LATER = "later"
"""Key in the record of a push under way: how many rows are of other periods, so not its own."""

PUSHES = tuple(f"push {name}" for name in PUSHED)


def complete_killed(settings: Settings, ledger: Ledger) -> None:
    """Complete the records of pushes that were killed.

    Args:
        settings: the place of the run records.
        ledger: an open ledger; no push of the same part has sent anything since.

    Raises:
        StorageError: the ledger cannot be read.
    """

    def fill_in(record: RunRecord) -> None:
        with ledger.begin() as transaction:
            sent, settled = sent_by(transaction, record, ledger.part)
        begun = msgspec.json.decode(record.details, type=dict[str, int] | None)
        record.rows = record.sent = sum(sent.values())
        record.accepted = sent.get(Outcome.ACCEPTED, 0) + settled
        if (
            begun is not None and record.left_out is not None
        ):  # if either is None, its input was not recorded yet
            counts = ledger.outcomes().get(record.activity.rpartition(" ")[2], Outcomes())
            record.left_out += sum(sent.get(outcome, 0) for outcome in LEFT_OUT)
            record.pending = counts.pending - begun.get(LATER, 0)
        record.details = details(**by_outcome(sent), settled=settled)

    complete(settings.data_dir, PUSHES, fill_in)


def complete_killed_if_known(settings: Settings) -> None:
    """Complete the records for a command that does not need the ledger: if the ledger is unreadable, do nothing."""
    with suppress(StorageError), existing_ledger(settings) as ledger:
        if ledger is not None:
            complete_killed(settings, ledger)
