"""Revenue that the warehouse knows was sent, and a ledger that was lost or restored from a backup does not.

Sent again it would count twice, so no push goes on beside it: either the latest ledger is put back, or what the
warehouse knows is taken over (`adopt`). Sends and clicks need neither, since the API skips repeats. What does not
belong here: how the ledger keeps what is taken over (`ledger.queries.revenue.adopt`), and noticing it (`detect`).
"""

from dataclasses import dataclass
from decimal import Decimal

from pipelines.alerts.after_run import watched
from pipelines.push.audit.alarms import of_alarms
from pipelines.push.audit.lost_ledger.detect import unknown_calls
from pipelines.push.audit.publish import publish_imports
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.adopt import adopt_calls
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome
from pipelines.runs import details, recorded, this_run
from pipelines.settings import Settings
from pipelines.warehouse.publish import note_runs
from pipelines.warehouse.swap import dicts, reading

_WHOLE = "SELECT * FROM imports.chunks WHERE chunk IN (SELECT unnest(?::BIGINT[])) ORDER BY chunk"
_ROWS = (
    "SELECT identity, chunk, outcome, code, reason, attempt, message_id, revenue FROM imports.records"
    f" WHERE dataset = '{REVENUE}' AND identity IS NOT NULL AND chunk IN (SELECT unnest(?::BIGINT[]))"
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was taken over.

    Attributes:
        calls: how many.
        rows: rows that were part of them.
        in_doubt: those of them of which it is not known whether they are in the account.
        amount: revenue of all, in the account's currency.
    """

    calls: int
    rows: int
    in_doubt: int
    amount: Decimal


@watched(outcomes, of_alarms)
def adopt(settings: Settings) -> Adopted:
    """Take over into the ledger what the warehouse knows of revenue that was sent and the ledger does not.

    Rows that were accepted are accepted, and are not sent again. Those without an answer are in doubt, and are for a
    person to settle: the totals before them are not on record.

    Raises:
        BusyError: a push is under way.
        StorageError: the ledger or the warehouse cannot be read or written.
    """
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        with recorded(settings.data_dir, this_run(), "adopt") as record:
            done = _take_over(settings, ledger)
            record.rows = done.rows
            record.details = details(calls=done.calls, in_doubt=done.in_doubt, amount=str(done.amount))
        if done.calls:
            publish_imports(settings)
        else:
            note_runs(settings)
    return done


def _take_over(settings: Settings, ledger: Ledger) -> Adopted:
    with ledger.figures() as figures:
        numbers = list(unknown_calls(settings, figures, (REVENUE,)))
    if not numbers:
        return Adopted(0, 0, 0, Decimal(0))
    with reading(settings.warehouse) as connection:
        calls, rows = dicts(connection, _WHOLE, numbers), dicts(connection, _ROWS, numbers)
    adopt_calls(ledger, calls, rows)
    amount = sum((row["revenue"] or Decimal(0) for row in rows), Decimal(0))
    doubts = sum(row["outcome"] == Outcome.IN_DOUBT for row in rows)
    return Adopted(len(calls), len(rows), doubts, amount)
