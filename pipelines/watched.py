"""What follows a pull or a push, by whomever it was run: alerts are judged and told, and metrics are written.

The engine's entry points are decorated with `watched`, so that the command line and Dagster need not think of it.
What does not belong here: what alerts (`alerts`), and what is measured (`metrics`).
"""

import functools
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Concatenate, ParamSpec, TypeVar

from pipelines.alerts.conditions import Condition, Counts, of_pulls, of_pushes, of_runs
from pipelines.alerts.notify import notify
from pipelines.runs import last_of_each
from pipelines.settings import Settings
from pipelines.warehouse.published import published

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)

Outcomes = Callable[[Settings], Mapping[str, Counts]]
"""Counts the outcomes of the current history input, by dataset."""


def watched(
    outcomes: Outcomes | None = None,
) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[Concatenate[Settings, P], R]]:
    """Have conditions judged when a function of the engine has ended, well or with an error; not when stopped.

    Args:
        outcomes: for functions that push.
    """

    def decorate(work: Callable[Concatenate[Settings, P], R]) -> Callable[Concatenate[Settings, P], R]:
        @functools.wraps(work)
        def run(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                done = work(settings, *args, **kwargs)
            except Exception:
                _follow_up(settings, outcomes)
                raise
            _follow_up(settings, outcomes)
            return done

        return run

    return decorate


def conditions(settings: Settings, outcomes: Outcomes | None = None) -> list[Condition]:
    """Every condition as it is now; those of pushes where `outcomes` is given.

    Raises:
        StorageError: the warehouse, a run's record or the ledger cannot be read.
    """
    return [
        *of_pulls(settings, published(settings.warehouse), datetime.now(UTC)),
        *of_runs(last_of_each(settings.data_dir).values()),
        *(of_pushes(settings, outcomes(settings)) if outcomes else ()),
    ]


def _follow_up(settings: Settings, outcomes: Outcomes | None) -> None:
    if settings.alert_webhook is None:
        return
    try:
        notify(settings, conditions(settings, outcomes))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not fail a run that went well
        _log.warning("Alerts could not be judged: %s", type(error).__name__)
        _log.debug("the cause", exc_info=error)
