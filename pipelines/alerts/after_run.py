"""Work after every pull or push: checks alerts, writes metrics, removes old records.

The engine's entry points are decorated with `watched`, so that the command line and Dagster need no code for it. What
does not belong here: the conditions (`conditions`), and the figures (`metrics`).
"""

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pipelines.alerts.conditions import (
    Condition,
    Counts,
    of_data,
    of_disk,
    of_pulls,
    of_pushes,
    of_readable,
    of_runs,
    of_source,
    of_unread,
    of_unserved,
    of_warehouse,
    of_webhooks,
)
from pipelines.alerts.notify import notify
from pipelines.alerts.still_twice import of_still_twice
from pipelines.alerts.unfinished_runs import of_unfinished
from pipelines.errors import StorageError, TracklySyncError
from pipelines.process.interrupts import interrupts_deferred
from pipelines.run_records.pruning import prune_runs
from pipelines.runs.activity_state import unended
from pipelines.runs.recording import last_of_each
from pipelines.settings import Settings
from pipelines.storage import is_there
from pipelines.warehouse.published import last_sent_at, published, unread_events
from pipelines.webhooks.queue.state import received
from schemas.own_tables.sync import RunRecord

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)

Outcomes = Callable[[Settings], Mapping[str, Counts]]
"""Counts the outcomes of the current history input, by dataset."""

_IN_DOUBT = "in_doubt:"
"""Prefix of a condition's name before the dataset; its figure includes rows outside the current input."""

Further = Sequence[Callable[[Settings], list[Condition]]]
"""Functions that check further conditions of pushes, which this package must not import."""


def watched(
    outcomes: Outcomes | None = None,
    further: Further = (),
) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[Concatenate[Settings, P], R]]:
    """Decorate a function of the engine: check conditions when it has ended, also with an error, but not if stopped.

    Args:
        outcomes: for functions that push.
        further: likewise.
    """

    def decorate(work: Callable[Concatenate[Settings, P], R]) -> Callable[Concatenate[Settings, P], R]:
        @functools.wraps(work)
        def run(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with interrupts_deferred():
                    done = work(settings, *args, **kwargs)
            except Exception:
                _follow_up(settings, outcomes, further)
                raise
            _follow_up(settings, outcomes, further)
            return done

        return run

    return decorate


def conditions(
    settings: Settings, outcomes: Outcomes | None = None, further: Further = ()
) -> list[Condition]:
    """Return every current condition; conditions of pushes if `outcomes` and `further` are given.

    Data that cannot be read is a condition itself, and hides no condition that does not need this data.

    Args:
        settings: name the data directory and the limits of alerts.
        outcomes: counts the outcomes of pushes; None to leave pushes out.
        further: check further conditions of pushes.

    Raises:
        StorageError: the disk cannot be checked.
    """
    manifests, no_warehouse = _read(partial(published, settings.warehouse))
    records, no_records = _read(partial(last_of_each, settings.data_dir))
    pulled, last = manifests or {}, records or {}
    left, _ = _read(partial(of_unfinished, settings, pulled))  # if not readable, `damaged:runs` says so
    any_run = bool(last.keys() - {"report"} or pulled or no_warehouse or no_records)
    return [
        of_disk(settings),
        *of_receiver(settings),
        of_data(settings, any_run=any_run),
        *of_pulls(settings, pulled, datetime.now(UTC)),
        of_warehouse(no_warehouse, is_there=is_there(settings.warehouse)),
        of_readable("runs", "records of runs", no_records),
        *of_runs(_with_killed(last, unended(settings.data_dir)).values()),
        *of_still_twice(last.values()),
        *(left or ()),
        *of_unserved(pulled, last.values()),
        *of_source(pulled),
        *(_of_pushes(settings, outcomes, further) if outcomes else ()),
    ]


def _of_pushes(settings: Settings, outcomes: Outcomes, further: Further) -> list[Condition]:
    counted, unreadable = _read(partial(outcomes, settings))
    found = of_pushes(settings, counted or {})
    for judge in further:
        judged, error = _read(partial(judge, settings))
        found += judged or []
        unreadable = unreadable or error
    return [*found, of_readable("pushes", "records of pushes", unreadable)]


def _with_killed(last: Mapping[str, RunRecord], begun: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Return the newest record of each activity, including killed activities without a record yet.

    Activities already recorded as killed are omitted: they have begun again, with an unknown end.
    """
    found = {activity: record for activity, record in last.items() if record.status != "killed"}
    for record in begun:
        before = found.get(record.activity)
        if record.status == "killed" and (before is None or before.started_at < record.started_at):
            found[record.activity] = record
    return found


def _read(read: Callable[[], R]) -> tuple[R | None, StorageError | None]:
    """Return the data, or the error if it cannot be read."""
    try:
        return read(), None
    except StorageError as error:
        return None, error


def of_receiver(settings: Settings) -> list[Condition]:
    """Return the conditions about events. A queue that cannot be read is a condition, and hides no other."""
    try:
        found = received(settings)
        sent_at = last_sent_at(settings.warehouse) if found else None
        unread = [of_unread(unread_events(settings.warehouse)[1])] if found else []
    except StorageError as error:
        return [Condition("damaged:webhooks", True, error.message.rstrip("."), error.remedy)]
    return [*of_webhooks(settings, found, sent_at, datetime.now(UTC)), *unread]


def _follow_up(settings: Settings, outcomes: Outcomes | None, further: Further) -> None:
    """Check alerts, write metrics and prune; errors are logged, since they must not fail a successful run."""
    try:
        if settings.alert_webhook:
            notify(settings, conditions(settings, outcomes, further))
    except Exception as error:  # noqa: BLE001 - the run itself went well
        _log.warning("Alerts could not be judged: %s", _why(error))
    try:
        if settings.metrics_dir:
            _write_metrics(settings, settings.metrics_dir, outcomes, further)
    except Exception as error:  # noqa: BLE001 - the run itself went well
        _log.warning("Metrics could not be written: %s", _why(error))
    try:
        prune_runs(settings)
    except Exception as error:  # noqa: BLE001 - the run itself went well
        _log.warning("Old records could not be removed: %s", _why(error))


def _write_metrics(settings: Settings, folder: Path, outcomes: Outcomes | None, further: Further) -> None:
    from pipelines.metrics import write_pulls, write_pushes  # noqa: PLC0415 - its library is not for those without

    last, succeeded = last_of_each(settings.data_dir), last_of_each(settings.data_dir, "succeeded")
    if outcomes:
        judged = _of_pushes(settings, outcomes, further)
        doubts = [one for one in judged if one.name.startswith(_IN_DOUBT)]
        in_doubt = {one.name.removeprefix(_IN_DOUBT): int(one.figures["in_doubt"]) for one in doubts}
        write_pushes(folder, outcomes(settings), in_doubt, last, succeeded)
    else:
        write_pulls(folder, published(settings.warehouse), last, succeeded)


def _why(error: Exception) -> str:
    """Return a text for an error: our own have a remedy; the text of others may quote any data."""
    return str(error) if isinstance(error, TracklySyncError) else type(error).__name__
