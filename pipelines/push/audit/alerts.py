"""What of pushes alerts beyond their outcomes: revenue that is perhaps there twice, and a ledger that was lost.

What does not belong here: the other conditions (`pipelines.alerts.conditions`), and what alarms say (`late_revenue`).
"""

from pipelines.alerts.after_run import watched
from pipelines.alerts.conditions import Condition
from pipelines.push.audit.late_revenue import condition, open_alarms
from pipelines.push.audit.lost_ledger.detect import of_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.settings import Settings


def push_conditions(settings: Settings) -> list[Condition]:
    """Both as conditions, whether they fire or not.

    Raises:
        StorageError: the ledger, the warehouse or the archive cannot be read.
    """
    return [condition(open_alarms(settings)), of_ledger(settings)]


watched_push = watched(outcomes, push_conditions)
"""Decorates what pushes, or changes what pushes left behind: alerts are judged when it has ended."""
