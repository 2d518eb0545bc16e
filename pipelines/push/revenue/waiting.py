"""How long calls without an answer may take: when a call is old enough, and when the next reading is due.

What does not belong here: what a reading shows (`settle`), and waiting itself (`loop`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.calls import slowest_call
from pipelines.push.ledger.queries.revenue.absent import UNDER_WAY
from pipelines.push.ledger.queries.revenue.alarms import learned_seconds
from pipelines.push.ledger.queries.revenue.in_doubt import SentRow, doubtful
from pipelines.push.outcomes import UNSETTLED
from pipelines.runs.recording import now
from pipelines.settings import Settings

TIMES = 4
"""A lost call may take at least so many time-outs, and so many times the slowest call that was answered."""

_APART, _MOST_APART = 0.25, 10.0
"""Two readings that agree are this share of the settle time apart, but at most so many seconds."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        settle: how old a call must be, from when it was sent, before its rows can be called absent.
        apart: the least time between the two readings that agree on it.
    """

    settle: float
    apart: float


def patience(settings: Settings, ledger: Ledger) -> Patience:
    """Return the times to wait: from the settings, or longer ones that calls to this account have shown."""
    with ledger.begin(REVENUE) as connection:
        learned, slowest = learned_seconds(connection), slowest_call(connection)
    settle = settings.settle_seconds
    if "settle_seconds" not in settings.model_fields_set:
        settle = max(settle, TIMES * settings.timeout_seconds, TIMES * slowest)
    settle = max(settle, learned)
    return Patience(settle, min(settle * _APART, _MOST_APART))


def seconds_until_due(settings: Settings, ledger: Ledger) -> float:
    """Return the seconds until a reading can settle the rows in doubt; 0 if it can now."""
    with ledger.begin(REVENUE) as connection:
        rows = doubtful(connection, ledger.part)
    at = now()
    return seconds_until(_due(rows, at, patience(settings, ledger)), at)


def _due(rows: Sequence[SentRow], at: str, wait: Patience) -> str:
    """Return when a reading can settle all rows of this part that it can settle; `at` if there are none."""
    waiting = [row for row in rows if _waits(row)]
    contacts = {row.contact for row in waiting}
    ready = [_ready(row, at, wait) for row in rows if row.in_doubt and row.contact in contacts]
    agreed = [later_by(row.absent_since, wait.apart) for row in waiting if row.absent_since]
    return max([at, *ready, *agreed])


def _waits(row: SentRow) -> bool:
    return row.ours and row.in_doubt and row.code in UNSETTLED


def _ready(row: SentRow, at: str, wait: Patience) -> str:
    """Return when a reading can settle a row, judged by its own call only."""
    if row.ended_at == UNDER_WAY:  # a call of another push: when it ends is unknown
        return later_by(at, max(wait.apart, 1.0))
    return later_by(row.sent_at, wait.settle) if row.code in UNSETTLED else at


def seconds_until(time: str, start: str) -> float:
    """Return the seconds from `start` to `time`; 0 if that is past."""
    return max((datetime.fromisoformat(time) - datetime.fromisoformat(start)).total_seconds(), 0.0)


def later_by(time: str, seconds: float) -> str:
    """Return a time so many seconds later; UNDER_WAY stays as it is."""
    if time == UNDER_WAY or not seconds:
        return time
    return (datetime.fromisoformat(time) + timedelta(seconds=seconds)).isoformat()
