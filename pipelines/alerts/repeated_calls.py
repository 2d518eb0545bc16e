"""Whether calls of revenue are in the account as if they had been delivered twice, as a condition.

A gateway that repeats POSTs by itself does that, and one answer comes of it. What does not belong here: comparing
(`push.audit.reconcile_query`).
"""

from collections.abc import Iterable

import msgspec

from pipelines.alerts.conditions import Condition
from pipelines.text.humanize import form, plural
from schemas.own_tables.sync import RunRecord

REMEDY = (
    "Does a gateway repeat POSTs? See docs/operations.md. Have what is there twice removed in the account, then:"
    " trackly-sync reconcile. The contacts: FROM imports.differences WHERE finding = 'perhaps_twice'"
)


def text_of(calls: int) -> str:
    """What a reconciliation found of it, in one line; "" for nothing."""
    if not calls:
        return ""
    return (
        f"{plural(calls, 'call')} of revenue {form(calls, 'is', 'are')} in the account as if delivered twice: most"
        f" contacts hold exactly once more what {form(calls, 'it', 'they')} brought"
    )


def of_repeated_calls(last: Iterable[RunRecord]) -> list[Condition]:
    """By the last reconciliation; one of an earlier version did not look.

    Args:
        last: the newest record of each activity.
    """
    return [_of(record) for record in last if record.activity == "reconcile" and record.status == "succeeded"]


def _of(record: RunRecord) -> Condition:
    calls = (msgspec.json.decode(record.details) or {}).get("repeated_calls", 0)
    text = text_of(calls) or "no call is in the account as if delivered twice"
    since = record.finished_at if calls else None
    return Condition("twice:reconcile", calls > 0, text, REMEDY if calls else "", {"calls": calls}, since)
