"""Whether the warehouse shows the outcomes of the ledger: publishing notes which state of the ledger it shows.

A push that was killed, or stopped while it published, leaves a warehouse that is behind. Every check for this is
here. What does not belong here: a ledger that is itself behind (`lost_ledger`), and publishing (`publish`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.alerts.conditions import Condition
from pipelines.push.audit.lost_ledger.detect import of_ledger
from pipelines.push.audit.lost_ledger.survivors import opened_warehouse
from pipelines.push.ledger.status import figures
from pipelines.run_records.failures import of_run
from pipelines.runs.activity_state import unended
from pipelines.runs.run_state import others_running
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from pipelines.warehouse.structure.version import ledger_shown

if TYPE_CHECKING:  # `status` must start fast
    import duckdb

_HAS_CALLS = "SELECT 1 FROM imports.chunks LIMIT 1"
_ACCEPTED = "SELECT count(*) FROM imports.records WHERE outcome = 'accepted' AND in_input"
_PUSHING = ("push ", "take in ")


@dataclass(frozen=True, slots=True)
class Behind:
    """How a warehouse is behind its ledger.

    Attributes:
        outcomes: whether the warehouse lacks outcomes of calls or rows.
        input: whether the warehouse shows an earlier input.
        accepted: rows of the current input that the ledger has as accepted, minus those in the warehouse.
    """

    outcomes: bool = False
    input: bool = False
    accepted: int = 0


def behind(settings: Settings) -> Behind:
    """Return how the warehouse is behind; not at all while a push is under way, because it publishes at its end.

    Raises:
        StorageError: the warehouse, the ledger or a run's record cannot be read.
    """
    found = _compared(settings)
    if found != Behind() and (_is_pushing(settings) or of_ledger(settings).firing):
        return Behind()
    return found


def _compared(settings: Settings) -> Behind:
    with opened_warehouse(settings) as warehouse:
        shown = _shown(warehouse) if warehouse else None
        if warehouse is None or shown is None:
            return Behind()
        with figures(settings) as ledger:
            if ledger is None or not (shown or ledger.calls_on_record()):
                return Behind()
            now = ledger.position()
            if now.text == shown:
                return Behind()
            accepted = sum(counts.accepted for counts in ledger.outcomes().values())
        ((published,),) = warehouse.execute(_ACCEPTED).fetchall()
    outcomes, _, taken_in = shown.partition(" ")
    return Behind(outcomes != now.outcomes, taken_in != now.input, max(accepted - published, 0))


def _shown(warehouse: "duckdb.DuckDBPyConnection") -> str | None:
    """Return the ledger's state that it shows; "" before the first publish; None if an older program published."""
    shown = ledger_shown(warehouse)
    return None if shown == "" and warehouse.execute(_HAS_CALLS).fetchone() else shown


def of_warehouse(settings: Settings) -> Condition:
    """Return a condition that fires if the warehouse lacks outcomes; an earlier input alone is only a notice.

    Raises:
        StorageError: see `behind`.
    """
    found = behind(settings)
    text = "the warehouse shows what the ledger has"
    if found.outcomes:
        rows = f", {plural(found.accepted, 'accepted row')} among them" if found.accepted else ""
        text = f"the warehouse is behind the ledger: it lacks outcomes of the last push{rows}"
    elif found.input:
        text = "the warehouse is behind the ledger: it shows an earlier history input"
    is_noted = found.input and not found.outcomes
    return Condition(
        "behind:warehouse",
        found.outcomes,
        text,
        "Run: trackly-sync push",
        {"accepted": found.accepted},
        noted=is_noted,
    )


def _is_pushing(settings: Settings) -> bool:
    """Return whether another process pushes, also while it publishes or between two steps of Dagster."""
    running = [one for one in unended(settings.data_dir) if one.status == "running"]
    of_others = [one for run in others_running(settings.data_dir) for one in of_run(settings.data_dir, run)]
    return any(one.activity.startswith(_PUSHING) for one in (*running, *of_others))
