"""The conditions that alert, judged from plain figures; the same for the webhook, `status` and Dagster's checks.

    stale:<dataset>      what the warehouse holds is older than TRACKLY_ALERT_STALE_HOURS
    damaged:warehouse    the warehouse cannot be read
    failed:<activity>    an activity failed when it last ran, such as a publish that the shrink guard stopped
    missing:reconcile    the contacts' totals hold less than was accepted
    rejected:<dataset>   a larger share of the history was rejected than TRACKLY_ALERT_REJECTED_SHARE
    in_doubt:<dataset>   rows were sent and nobody knows whether they arrived
    twice:revenue        revenue turned up after it was called absent and sent again (`pipelines.push.audit.alarms`)

What does not belong here: reading anything, and telling anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from pipelines.errors import TracklySyncError
from pipelines.settings import Settings
from schemas.sync import Manifest, RunRecord


class Counts(Protocol):
    """What is asked of a push's outcomes."""

    @property
    def rows_in(self) -> int: ...  # noqa: D102 - as in `Outcomes`
    @property
    def rejected(self) -> int: ...  # noqa: D102 - as in `Outcomes`
    @property
    def in_doubt(self) -> int: ...  # noqa: D102 - as in `Outcomes`


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that can be wrong.

    Attributes:
        name: kind and subject, as "stale:contacts"; stays the same from one evaluation to the next.
        firing: whether it is wrong now.
        text: how it is, in one line, without personal data.
        remedy: what to do about it.
        figures: what the judgement rests on.
    """

    name: str
    firing: bool
    text: str
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def of_pulls(settings: Settings, published: Mapping[str, Manifest], now: datetime) -> list[Condition]:
    """How old the datasets in the warehouse are; nothing is stale before the first pull."""
    limit = settings.alert_stale_hours
    found = []
    for name, manifest in published.items():
        hours = (now - datetime.fromisoformat(manifest.finished_at)).total_seconds() / 3600
        firing = hours > limit
        text = f"{name} is {hours:.1f} h old" + (f", more than {limit:g} h" if firing else "")
        figures = {"hours": round(hours, 2), "limit": limit}
        found.append(Condition(f"stale:{name}", firing, text, "Run: trackly-sync pull", figures))
    return found


def of_warehouse(damage: TracklySyncError | None) -> Condition:
    """Whether the warehouse can be read; where it cannot, nothing else about it can be judged."""
    text, remedy = (
        (damage.message.rstrip("."), damage.remedy) if damage else ("the warehouse can be read", "")
    )
    return Condition("damaged:warehouse", damage is not None, text, remedy)


def of_runs(last: Iterable[RunRecord]) -> list[Condition]:
    """How each activity ended when it last ran, and what the last reconciliation found.

    Args:
        last: the newest record of each activity.
    """
    found = []
    for record in last:
        firing = record.status == "failed"
        text = (
            f"{record.activity} failed: {(record.error or '').rstrip('.')}"
            if firing
            else f"{record.activity} {record.status}"
        )
        remedy = f"Look at it: trackly-sync runs {record.run[:8]}"
        figures = {"run": record.run, "finished_at": record.finished_at}
        found.append(Condition(f"failed:{record.activity}", firing, text, remedy, figures))
        if record.activity == "reconcile" and not firing:
            books: dict[str, Any] = msgspec.json.decode(record.details) or {}
            agrees = bool(books.get("agrees", True))
            text = "what was accepted is there" if agrees else "contacts hold less than was accepted"
            remedy = "FROM imports.differences WHERE finding = 'missing'"
            figures = {"missing": books.get("missing")}
            found.append(Condition("missing:reconcile", not agrees, text, remedy, figures))
    return found


def of_pushes(settings: Settings, outcomes: Mapping[str, Counts]) -> list[Condition]:
    """What became of the current history input."""
    limit = settings.alert_rejected_share
    found = []
    for name, counts in outcomes.items():
        share = counts.rejected / max(counts.rows_in, 1)
        firing = share > limit
        text = f"{counts.rejected:,} of {counts.rows_in:,} rows of {name} are rejected ({share:.1%})"
        figures = {"rejected": counts.rejected, "rows_in": counts.rows_in, "limit": limit}
        remedy = f"Look at them: trackly-sync rejects {name}"
        found.append(Condition(f"rejected:{name}", firing, text, remedy, figures))
        text = f"{counts.in_doubt:,} rows of {name} are in doubt"
        doubt = {"in_doubt": counts.in_doubt}
        remedy = "Settle them: trackly-sync push revenue, then trackly-sync resolve"
        found.append(Condition(f"in_doubt:{name}", counts.in_doubt > 0, text, remedy, doubt))
    return found
