"""Conditions about pushes that alert: rows in doubt or differing, late revenue, a lost ledger, an outdated warehouse.

What does not belong here: the other conditions (`pipelines.alerts.conditions`), and the text of alarms
(`late_revenue`).
"""

from collections.abc import Mapping

from pipelines.alerts.after_run import watched
from pipelines.alerts.conditions import Condition
from pipelines.push.audit import found_twice
from pipelines.push.audit.late_revenue import condition, open_alarms
from pipelines.push.audit.lost_ledger.detect import of_ledger
from pipelines.push.audit.publish.behind import of_warehouse
from pipelines.push.ledger.status import by_hand, differing, doubt_outside, outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.settings import Settings
from pipelines.text.humanize import form, plural


def _of_alarms(settings: Settings) -> list[Condition]:
    return [condition(open_alarms(settings))]


def _of_found_twice(settings: Settings) -> list[Condition]:
    return [found_twice.condition(found_twice.found_twice(settings))]


def _of_lost_ledger(settings: Settings) -> list[Condition]:
    return [of_ledger(settings)]


def _of_behind(settings: Settings) -> list[Condition]:
    return [of_warehouse(settings)]


def _of_differing(settings: Settings) -> list[Condition]:
    return of_differing(differing(settings))


def _of_by_hand(settings: Settings) -> list[Condition]:
    return [of_by_hand(by_hand(settings))]


def _of_doubt(settings: Settings) -> list[Condition]:
    return of_doubt(outcomes(settings), doubt_outside(settings))


push_conditions = (
    _of_alarms,
    _of_found_twice,
    _of_lost_ledger,
    _of_doubt,
    _of_by_hand,
    _of_differing,
    _of_behind,
)
"""Functions that return conditions, firing or not; each raises StorageError if it cannot read what it needs."""


def of_doubt(counted: Mapping[str, Outcomes], outside: Mapping[str, int]) -> list[Condition]:
    """Return conditions that fire if it is unknown whether sent rows arrived, in the current input or not.

    Args:
        counted: by dataset, the outcomes of the current input.
        outside: by dataset, how many more rows are in doubt.
    """
    found = []
    for name, counts in counted.items():
        beside = outside.get(name, 0)
        rows = counts.in_doubt + beside
        text = f"{plural(rows, 'row')} of {name} {form(rows, 'is', 'are')} in doubt"
        if beside:
            text += f", {beside:,} of them not in the current input, or quarantined there"
        remedy = "trackly-sync resolve shows which of them the next push settles, and which only you can"
        figures = {"in_doubt": rows, "not_in_input": beside}
        found.append(Condition(f"in_doubt:{name}", rows > 0, text, remedy, figures))
    return found


def of_by_hand(rows: int) -> Condition:
    """Return a condition that fires if revenue is in doubt that no push settles.

    Args:
        rows: the number of such rows.
    """
    return Condition(
        "by_hand:revenue",
        rows > 0,
        f"{plural(rows, 'row')} of revenue in doubt {form(rows, 'is', 'are')} to be settled by hand, not by a push",
        "trackly-sync resolve lists them and says how",
        {"by_hand": rows},
    )


def of_differing(rows: Mapping[str, int]) -> list[Condition]:
    """Return conditions that fire if rows differ from what was sent, without acknowledgement.

    Args:
        rows: the number of such rows, by dataset.
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
"""Decorates functions that push, or change what pushes left: alerts are judged when the function has ended."""
