"""Whether the ledger is the one that the pushes before were recorded in, or was lost, or restored from a backup.

The warehouse has every call that was made (`imports.chunks`), and the archive every row that was sent: a ledger that
does not know them is another one. What does not belong here: taking over what it does not know (`adopt`).
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.alerts.conditions import Condition
from pipelines.errors import StorageError
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.figures import Figures
from pipelines.push.ledger.status import figures
from pipelines.settings import Settings
from pipelines.storage import is_there
from pipelines.text.humanize import plural
from pipelines.warehouse.swap import reading
from schemas.registry import PUSHED

if TYPE_CHECKING:  # status answers at once
    from duckdb import DuckDBPyConnection

    from pipelines.push.ledger.ledger import Ledger

_PUBLISHED = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'imports' AND table_name = 'chunks'"
_CALLS = (
    "SELECT chunk, dataset, intended_at FROM imports.chunks"
    " WHERE state <> 'refused' AND list_contains(?, dataset)"
)
_REFUSED = "no push goes on beside it, since that revenue would count twice"


@dataclass(frozen=True, slots=True)
class Lost:
    """What the ledger does not know.

    Attributes:
        calls: the calls by their numbers in the warehouse: of which dataset, and when they were meant to be sent.
        datasets: what was pushed, by the archive, where the ledger has nothing at all.
    """

    calls: dict[int, tuple[str, datetime]]
    datasets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.calls or self.datasets)

    @property
    def has_revenue(self) -> bool:
        """Whether revenue is among it, which counts twice when it is sent again."""
        return REVENUE in self.datasets or any(dataset == REVENUE for dataset, _ in self.calls.values())

    @property
    def text(self) -> str:
        """What is wrong, in one line without a full stop."""
        if not self.calls:
            pushed = ", ".join(self.datasets)
            return f"the ledger is empty, and parquet/imports has {pushed} that were pushed: it was lost"
        last = max(at for _, at in self.calls.values())
        return (
            f"the ledger does not know {plural(len(self.calls), 'call')} that imports.chunks has, the last one of"
            f" {last:%Y-%m-%d %H:%M} UTC: it was lost, or restored from a backup"
        )

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if not self.has_revenue:
            return (
                "Put the latest ledger back, or push again: what is in the account comes back as duplicate."
            )
        if not self.calls:
            return (
                "Put the latest ledger back: without it a push sends that revenue again, and it counts twice, unless"
                " the account was emptied."
            )
        return f"Put the latest ledger back, or take them over: trackly-sync adopt; {_REFUSED}."


def is_published(settings: Settings) -> bool:
    """Whether the warehouse has the tables of what was pushed.

    Raises:
        StorageError: it cannot be read.
    """
    if not is_there(settings.warehouse):
        return False
    with reading(settings.warehouse) as connection:
        return _has_calls(connection)


def _has_calls(connection: "DuckDBPyConnection") -> bool:
    return connection.execute(_PUBLISHED).fetchone() is not None


def unknown_calls(
    settings: Settings, ledger: Figures | None, datasets: tuple[str, ...] = tuple(PUSHED)
) -> dict[int, tuple[str, datetime]]:
    """Calls that imports.chunks has and the ledger does not; see `Lost.calls`.

    Their numbers tell nothing, since the ledger counts on from its last.

    Args:
        settings: where the warehouse lies.
        ledger: None where there is none.
        datasets: calls of which.

    Raises:
        StorageError: the warehouse or the ledger cannot be read.
    """
    if not is_there(settings.warehouse):
        return {}
    with reading(settings.warehouse) as connection:
        calls = connection.execute(_CALLS, [list(datasets)]).fetchall() if _has_calls(connection) else []
    known = ledger.calls_on_record() if ledger and calls else set()
    return {number: (dataset, at) for number, dataset, at in calls if at not in known}


def lost(settings: Settings) -> Lost:
    """What the ledger does not know of the pushes that the warehouse and the archive have.

    Raises:
        StorageError: the ledger, the warehouse or the archive cannot be read.
    """
    with figures(settings) as ledger:
        calls = unknown_calls(settings, ledger)
        is_used = ledger is not None and (
            any(map(ledger.first_intake, PUSHED)) or bool(ledger.calls_on_record())
        )
    pushed = [name for name in PUSHED if archived(archive_folder(settings, name))]
    return Lost(calls, () if is_used else tuple(pushed))


def refuse_forgotten(settings: Settings, ledger: "Ledger | None") -> None:
    """See that the ledger knows every call of revenue that the warehouse has.

    Raises:
        StorageError: it does not.
    """
    with ledger.figures() if ledger else nullcontext() as figures_of:
        calls = unknown_calls(settings, figures_of, (REVENUE,))
    if calls:
        last = max(at for _, at in calls.values())
        raise StorageError(
            f"The ledger does not know {plural(len(calls), 'call')} of revenue that imports.chunks has, the last one"
            f" of {last:%Y-%m-%d %H:%M} UTC: it was lost, or restored from a backup, and they would count twice.",
            "Put the latest ledger back, or take them over from the warehouse: trackly-sync adopt. If the account "
            "was emptied: move warehouse.duckdb away, and pull.",
        )


def of_ledger(settings: Settings) -> Condition:
    """Whether the ledger was lost, as a condition that alerts.

    Raises:
        StorageError: as `lost`.
    """
    found = lost(settings)
    if not found:
        return Condition("lost:ledger", firing=False, text="the ledger knows every call that was made")
    figures = {"calls": len(found.calls), "datasets": list(found.datasets)}
    return Condition("lost:ledger", firing=True, text=found.text, remedy=found.remedy, figures=figures)
