"""Records a person's statement that the account was emptied: calls that the ledger does not know do not count.

Then pushes go on with this ledger, and send that revenue again. The statement is kept with its reason in
imports.resolutions, and in a file next to the notes of earlier pushes, which are set aside, not deleted. What does
not belong here: rows that the ledger knows; they stay as they are.
"""

import json
from datetime import datetime

from pipelines.errors import UsageError
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.lost_ledger.detect import Lost, Surviving
from pipelines.push.audit.lost_ledger.pushed_calls import set_aside
from pipelines.push.audit.publish.decided import publish_decided
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.lock import part_lock, push_lock
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.in_doubt import note_resolutions
from pipelines.runs.recording import details, now, person, recorded, this_run
from pipelines.settings import Settings
from pipelines.storage import is_there
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.swap import replacing

EMPTIED = "emptied"
"""The outcome of such a statement in imports.resolutions."""

ALL_ROWS = "account"
"""The identity of such a statement in imports.resolutions."""


@watched_push
def account_emptied(settings: Settings, reason: str) -> Lost:
    """Record that the account no longer has what the ledger does not know.

    Args:
        settings: the place of all files.
        reason: the person's reason.

    Returns:
        The calls and rows that do not count any more; if there are none, nothing was recorded.

    Raises:
        UsageError: there is no reason.

    Raises:
        UsageError: no reason.
        BusyError: a push is under way.
        StorageError: the ledger, the archive or the warehouse cannot be used.
    """
    if not reason.strip():
        raise UsageError("A reason is needed; it is kept.", "--reason 'the account was emptied, ticket 1234'")
    with push_lock(settings.data_dir), open_ledger(settings) as ledger, part_lock(ledger):
        surviving = Surviving.of(settings)
        with ledger.figures() as figures:
            found = surviving.unknown_to(figures)
        if not found:
            return found
        with recorded(settings.data_dir, this_run(), "resolve") as record:
            record.details = details(outcome=EMPTIED, calls=len(found.calls), datasets=list(found.datasets))
            _state(settings, ledger, found, reason.strip())
        publish_decided(settings)
    return found


def _state(settings: Settings, ledger: Ledger, found: Lost, reason: str) -> None:
    """Record the statement, then set the notes beside the archive aside, then empty the warehouse's tables."""
    at = now()
    statement = {
        "stated_at": at,
        "stated_by": person(),
        "reason": reason,
        "calls": len(found.calls),
        "datasets": list(found.datasets),
    }
    with ledger.begin(REVENUE) as transaction:
        note_resolutions(transaction, [ALL_ROWS], EMPTIED, reason, at)
    set_aside(settings, f"{datetime.fromisoformat(at):%Y%m%dT%H%M%S%f}", json.dumps(statement).encode())
    if is_there(settings.warehouse):
        with replacing(settings.warehouse) as connection:
            complete(connection)
            connection.execute("DELETE FROM imports.records")
            connection.execute("DELETE FROM imports.chunks")
