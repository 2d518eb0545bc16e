"""What of pushes alerts beyond their outcomes: revenue perhaps there twice, a lost ledger, rows that differ.

What does not belong here: the other conditions (`pipelines.alerts.conditions`), and what alarms say (`late_revenue`).
"""

from collections.abc import Mapping

from pipelines.alerts.after_run import watched
from pipelines.alerts.conditions import Condition
from pipelines.push.audit.late_revenue import condition, open_alarms
from pipelines.push.audit.lost_ledger.detect import of_ledger
from pipelines.push.ledger.status import differing, outcomes
from pipelines.settings import Settings
from pipelines.text.humanize import plural


def _of_alarms(settings: Settings) -> list[Condition]:
    return [condition(open_alarms(settings))]


def _of_lost_ledger(settings: Settings) -> list[Condition]:
    return [of_ledger(settings)]


def _of_differing(settings: Settings) -> list[Condition]:
    return of_differing(differing(settings))


push_conditions = (_of_alarms, _of_lost_ledger, _of_differing)
"""Judge these, whether they fire or not; each raises StorageError where what it needs cannot be read."""


def of_differing(rows: Mapping[str, int]) -> list[Condition]:
    """Whether rows differ from what was sent, and nobody has acknowledged it.

    Args:
        rows: by dataset, how many.
    """
    return [
        Condition(
            f"differs:{name}",
            number > 0,
            f"{plural(number, 'row')} of {name} {'differs' if number == 1 else 'differ'} from what was sent",
            f"trackly-sync rejects {name} --outcome differs, then trackly-sync resolve --differs {name}",
            {"differs": number},
        )
        for name, number in rows.items()
    ]


watched_push = watched(outcomes, push_conditions)
"""Decorates what pushes, or changes what pushes left behind: alerts are judged when it has ended."""
