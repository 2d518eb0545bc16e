"""What the last reconciliation found there twice, as conditions.

Revenue that somebody has acknowledged as perhaps there twice may still be; and a gateway that repeats POSTs by itself
has calls delivered twice, of which one answer comes. What does not belong here: comparing (`push.audit.reconcile`),
and alarms that nobody has acknowledged yet.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from pipelines.alerts.conditions import Condition
from pipelines.text.humanize import form, money, plural
from schemas.own_tables.imports import STILL_TWICE
from schemas.own_tables.sync import RunRecord

STILL_TWICE_REMEDY = (
    "Have it removed in the account, unless it is known to be other revenue, then: trackly-sync reconcile. "
    f"The contacts: FROM imports.differences WHERE finding = '{STILL_TWICE}'"
)

REPEATED_REMEDY = (
    "Does a gateway repeat POSTs? See docs/operations.md. Have what is there twice removed in the account, then:"
    " trackly-sync reconcile. The contacts: FROM imports.differences WHERE finding = 'perhaps_twice'"
)


def still_twice_text(figures: Mapping[str, Any]) -> str:
    """What was found of revenue that was acknowledged, in one line; "" for nothing.

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


def repeated_text(calls: int) -> str:
    """What was found of calls that seem to have been delivered twice, one at least, in one line."""
    return (
        f"{plural(calls, 'call')} of revenue {form(calls, 'is', 'are')} in the account as if delivered twice: most"
        f" contacts hold exactly once more what {form(calls, 'it', 'they')} brought"
    )


def of_found_twice(last: Iterable[RunRecord]) -> list[Condition]:
    """By the last reconciliation; one of an earlier version lacks figures.

    Args:
        last: the newest record of each activity.
    """
    records = [record for record in last if record.activity == "reconcile" and record.status == "succeeded"]
    return [
        judge(record, msgspec.json.decode(record.details) or {}) for judge in _JUDGED for record in records
    ]


def _repeated(record: RunRecord, figures: Mapping[str, Any]) -> Condition:
    calls = figures.get("repeated_calls", 0)
    text = repeated_text(calls) if calls else "no call is in the account as if delivered twice"
    since = record.finished_at if calls else None
    remedy = REPEATED_REMEDY if calls else ""
    return Condition("twice:reconcile", calls > 0, text, remedy, {"calls": calls}, since)


def _still_twice(record: RunRecord, figures: Mapping[str, Any]) -> Condition:
    """It does not alert: a person has decided, and may have been right."""
    found = figures.get("still_twice", {})
    is_there = bool(found.get("contacts"))
    text = still_twice_text(found) or "nothing that was acknowledged as perhaps there twice is still there"
    since = record.finished_at if is_there else None
    remedy = STILL_TWICE_REMEDY if is_there else ""
    return Condition("still_twice:revenue", False, text, remedy, found, since, is_there)


_JUDGED = (_repeated, _still_twice)
