"""Problems that need attention, as `status` and `report` list them. What does not belong here: detecting them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pipelines.cli.terminal.results import differing_notes, doubt_notes, pull_notes, push_notes
from pipelines.errors import StorageError
from pipelines.push.outcomes import Outcomes
from pipelines.runs.recording import last_of_each
from pipelines.settings import Settings
from pipelines.warehouse.rolled_back import rolled_back
from schemas.own_tables.sync import Manifest

_ALERTING = (
    "twice:", "still_twice:", "lost:", "behind:", "by_hand:", "stale:", "failed:", "unfinished:", "unserved:",
    "missing:", "silent:", "stopped:", "refused:", "unread:", "damaged:webhooks", "damaged:runs", "damaged:pushes",
    "low:",
)  # fmt: skip


def attention(
    settings: Settings, pulled: Mapping[str, Manifest], pushed: Mapping[str, Outcomes]
) -> list[str]:
    """Return sentences about problems, each with the command for it.

    Args:
        settings: where the run records and the ledger lie.
        pulled: by dataset, the manifest of what is published.
        pushed: by dataset, the outcomes of the current input.

    Raises:
        StorageError: the warehouse or a run's record cannot be read.
    """
    from pipelines.alerts.after_run import conditions  # noqa: PLC0415 - keeps help fast
    from pipelines.push.audit.alerts import push_conditions  # noqa: PLC0415 - keeps help fast
    from pipelines.push.ledger.status import differing, doubt_outside  # noqa: PLC0415 - the same: SQLAlchemy is slow

    found = conditions(settings, lambda _: pushed, push_conditions)
    is_damaged = any(condition.name == "damaged:warehouse" and condition.firing for condition in found)
    alerting = dict.fromkeys(
        f"{condition.text}. {condition.remedy}"  # activities that failed for one reason have one text
        for condition in found
        if (condition.firing or condition.noted) and condition.name.startswith(_ALERTING)
    )
    beside: list[str] = []
    with suppress(StorageError):  # the condition `damaged:pushes` reports it
        beside = [*doubt_notes(doubt_outside(settings)), *differing_notes(differing(settings))]
    return [
        *alerting,
        *(() if is_damaged else pull_notes(pulled)),  # otherwise it would look as if nothing was pulled
        *(one.text for one in rolled_back(settings, pulled)),
        *push_notes(pushed),
        *beside,
    ]


def ledger_notes(settings: Settings) -> list[str]:
    """Return a note if the ledger was lost, for commands that show its contents.

    Raises:
        StorageError: the ledger or the warehouse cannot be read.
    """
    from pipelines.push.audit.lost_ledger.detect import of_ledger  # noqa: PLC0415 - keeps help fast

    condition = of_ledger(settings)
    return [f"{condition.text}. {condition.remedy}"] if condition.firing else []


def behind_notes(settings: Settings) -> list[str]:
    """Return a note for programs if the warehouse shows older outcomes than the ledger.

    Raises:
        StorageError: the ledger, the warehouse or a run's record cannot be read.
    """
    from pipelines.push.audit.publish.behind import of_warehouse  # noqa: PLC0415 - keeps help fast

    found = of_warehouse(settings)
    return [f"{found.text}. {found.remedy}"] if found.firing or found.noted else []


def pulled_otherwise(settings: Settings, pulled: Mapping[str, Manifest]) -> list[str]:
    """Return notes on published datasets that the last pull left out, or whose source has changed.

    Args:
        settings: where the run records lie.
        pulled: by dataset, the manifest of what is published.

    Raises:
        StorageError: a run's record cannot be read.
    """
    from pipelines.alerts.conditions import of_source, of_unserved  # noqa: PLC0415 - keeps help fast

    last = last_of_each(settings.data_dir).values()
    found = [*of_unserved(pulled, last), *of_source(pulled)]
    return [f"{one.text}. {one.remedy}" for one in found if one.firing]


def still_twice_notes(settings: Settings) -> list[str]:
    """Return notes if the last reconciliation found acknowledged revenue that is still there twice.

    Raises:
        StorageError: a run's record cannot be read.
    """
    from pipelines.alerts.still_twice import of_still_twice  # noqa: PLC0415 - keeps help fast

    found = of_still_twice(last_of_each(settings.data_dir).values())
    return [f"{one.text}. {one.remedy}" for one in found if one.noted]


def found_twice_notes(settings: Settings) -> list[str]:
    """Return notes if the last reconciliation found revenue perhaps there twice that no one has acknowledged.

    Raises:
        StorageError: the ledger cannot be read.
    """
    from pipelines.push.audit.found_twice import condition, found_twice  # noqa: PLC0415 - keeps help fast

    found = condition(found_twice(settings))
    return [f"{found.text}. {found.remedy}"] if found.firing else []


def found_twice_json(settings: Settings) -> dict[str, Any]:
    """Return what the last reconciliation found perhaps there twice, for programs; empty if there is no finding.

    Raises:
        StorageError: the ledger cannot be read.
    """
    from pipelines.push.audit.found_twice import figures_of, found_twice  # noqa: PLC0415 - keeps help fast

    return figures_of(found_twice(settings))


def alarms_json(settings: Settings) -> list[dict[str, Any]]:
    """Return revenue that is perhaps there twice, for programs; without personal data.

    Raises:
        StorageError: the ledger cannot be read.
    """
    from pipelines.push.audit.late_revenue import open_alarms  # noqa: PLC0415 - keeps help fast

    return [
        {
            "alarm": one.alarm.alarm,
            "dataset": one.alarm.dataset,
            "rows": one.alarm.rows,
            "sent_again": one.alarm.sent_again,
            "contacts": one.alarm.contacts,
            "amount": str(one.amount),
            "seconds": round(one.alarm.seconds, 1),
            "raised_at": one.alarm.raised_at,
        }
        for one in open_alarms(settings)
    ]
