"""Revenue acknowledged as perhaps there twice that the last reconciliation still found.

What does not belong here: comparing (`push.audit.reconcile`), findings not acknowledged yet
(`push.audit.found_twice`), and alarms (`push.audit.late_revenue`).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pipelines.alerts.conditions import Condition
from pipelines.text.humanize import form, money, plural
from schemas.own_tables.imports import STILL_TWICE
from schemas.own_tables.sync import RunRecord

STILL_TWICE_REMEDY = (
    "Have it removed in the account, unless it is known to be other revenue, then: trackly-sync reconcile. "
    f"The contacts: FROM imports.differences WHERE finding = '{STILL_TWICE}'"
)


def still_twice_text(figures: Mapping[str, Any]) -> str:
    """Return the acknowledged revenue that was found, in one line; "" for none.

    Args:
        figures: contacts, amount and or_other, as `StillTwice.figures` has them.
    """
    contacts, or_other = int(figures.get("contacts", 0)), int(figures.get("or_other", 0))
    sure = (
        f"{plural(contacts, 'contact')} {form(contacts, 'holds', 'hold')} {money(Decimal(figures['amount']))} more"
        " than was accepted, which is exactly revenue that was acknowledged as perhaps there twice"
        if contacts
        else ""
    )
    perhaps = (
        f"{plural(or_other, 'contact')} with other revenue may hold some that was acknowledged as perhaps there"
        " twice: totals do not distinguish the two"
        if or_other
        else ""
    )
    return "; ".join(filter(None, (sure, perhaps)))


def of_still_twice(last: Iterable[RunRecord]) -> list[Condition]:
    """Return the condition by the last reconciliation; one of an earlier version has no figures.

    Args:
        last: the newest record of each activity.
    """
    return [
        _still_twice(record)
        for record in last
        if record.activity == "reconcile" and record.status == "succeeded"
    ]


def _still_twice(record: RunRecord) -> Condition:
    """Build the condition, which does not alert: a person has decided, and may have been right."""
    found = record.figures.get("still_twice", {})
    is_there = bool(found.get("contacts"))
    text = still_twice_text(found) or "nothing that was acknowledged as perhaps there twice is still there"
    since = record.finished_at if is_there else None
    remedy = STILL_TWICE_REMEDY if is_there else ""
    return Condition("still_twice:revenue", False, text, remedy, found, since, is_there)
