"""Decides whether the ledger has recorded all earlier pushes, or was lost, or restored from a backup.

The warehouse has every call that was made (`imports.chunks`), and so have the notes beside the archive. A ledger that
does not know one of these calls is another one. Pushes, plans, resolve, status, doctor, alerts, the report and
reconcile all use this module. What does not belong here: the records that survive a ledger (`survivors`), and taking
over what the ledger does not know (`audit.adopt`).
"""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.alerts.conditions import Condition
from pipelines.errors import StorageError
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.lost_ledger.pushed_calls import are_begun, is_set_aside
from pipelines.push.audit.lost_ledger.survivors import (
    ARCHIVE,
    WAREHOUSE,
    archived_revenue,
    calls_of,
    opened_archive,
)
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.figures import Figures
from pipelines.push.ledger.status import figures
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from pipelines.warehouse.published import for_pushes
from schemas.registry import PUSHED

if TYPE_CHECKING:  # `status` must start fast
    from pipelines.push.ledger.ledger import Ledger

_REFUSED = "pushes are refused until then, because that revenue would count twice"
_ADOPT = "Put the latest ledger back, or take over what it does not know: trackly-sync adopt"
_EMPTIED = (
    "If the account was emptied and no longer has that revenue: trackly-sync resolve --account-emptied "
    "--reason '...'."
)


@dataclass(frozen=True, slots=True)
class Lost:
    """The calls and rows that the ledger does not know.

    Attributes:
        calls: when each such call was meant to be sent, and its dataset.
        known_by: the record that has them: the warehouse, or the notes beside the archive.
        datasets: the datasets that the archive has, if the ledger is empty.
        rows: rows of revenue that only the archive of an earlier version has: they were about to be sent.
    """

    calls: dict[datetime, str] = field(default_factory=dict)
    known_by: str = WAREHOUSE
    datasets: tuple[str, ...] = ()
    rows: int = 0

    def __bool__(self) -> bool:
        return bool(self.calls or self.datasets or self.rows)

    @property
    def has_revenue(self) -> bool:
        """Whether revenue is among them, which counts twice if it is sent again."""
        return bool(self.rows) or REVENUE in (*self.datasets, *self.calls.values())

    @property
    def text(self) -> str:
        """What is wrong, in one line without a full stop."""
        if self.datasets and self.known_by == ARCHIVE:
            pushed = ", ".join(self.datasets)
            return f"the ledger is empty, and parquet/imports has {pushed} that were pushed: it was lost"
        if self.rows:
            return (
                f"the ledger does not know {plural(self.rows, 'row')} of revenue that parquet/imports has: it was"
                " restored from a backup, or a push was stopped before it sent them"
            )
        return (
            f"the ledger does not know {self._counted} that {self.known_by} has, the last one of"
            f" {max(self.calls):%Y-%m-%d %H:%M} UTC: it was lost, or restored from a backup"
        )

    @property
    def _counted(self) -> str:
        """The number of calls, and of those of revenue."""
        all_of_them = plural(len(self.calls), "call")
        of_revenue = sum(dataset == REVENUE for dataset in self.calls.values())
        if of_revenue == len(self.calls):
            return f"{all_of_them} of revenue"
        return f"{all_of_them} ({of_revenue:,} of revenue)" if of_revenue else all_of_them

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if not self.has_revenue:
            return (
                "Put the latest ledger back, or push again: what is in the account comes back as duplicate."
            )
        return f"{_ADOPT}; {_REFUSED}. {_EMPTIED}"


@dataclass(frozen=True, slots=True)
class Surviving:
    """What other records know about earlier pushes.

    Attributes:
        published: the calls in the warehouse: when each was meant to be sent, and its dataset.
        noted: the calls in the notes beside the archive.
        archived: the datasets of which the archive has rows, unless a person stated that they do not count.
        revenue: identities of the archive's rows of revenue, if no other record of calls exists: the warehouse has
            none, and the archive is of a version that wrote no notes.
    """

    published: dict[datetime, str]
    noted: dict[datetime, str]
    archived: tuple[str, ...]
    revenue: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "Surviving":
        """Read the records. Do this before reading the ledger, because a push under way writes the ledger first.

        Raises:
            StorageError: the warehouse or the archive cannot be read.
        """
        published = dict(for_pushes(settings.warehouse).calls)
        with opened_archive(settings) as archive:
            noted = dict(calls_of(archive).values())
        names = () if is_set_aside(settings) else PUSHED
        pushed = [name for name in names if archived(archive_folder(settings, name))]
        is_all = REVENUE in pushed and not (published or are_begun(settings))
        return cls(published, noted, tuple(pushed), archived_revenue(settings) if is_all else frozenset())

    def unknown_to(self, ledger: Figures | None) -> Lost:
        """Return the calls and rows that a ledger does not know; None stands for a missing ledger.

        Raises:
            StorageError: the ledger cannot be read.
        """
        known = ledger.calls_on_record() if ledger else set()
        published, noted = _without(self.published, known), _without(self.noted, known)
        is_used = ledger is not None and (bool(known) or any(map(ledger.first_intake, PUSHED)))
        datasets = () if is_used else self.archived
        known_by = WAREHOUSE if published or not (noted or datasets) else ARCHIVE
        return Lost(published | noted, known_by, datasets, self._rows_unknown_to(ledger) if is_used else 0)

    def _rows_unknown_to(self, ledger: Figures | None) -> int:
        return len(self.revenue - ledger.revenue_on_record()) if ledger and self.revenue else 0


def _without(calls: Mapping[datetime, str], known: Collection[datetime]) -> dict[datetime, str]:
    return {at: dataset for at, dataset in calls.items() if at not in known}


def lost(settings: Settings) -> Lost:
    """Return the calls and rows of earlier pushes that the warehouse or the archive has and the ledger does not.

    Raises:
        StorageError: the ledger, the warehouse or the archive cannot be read.
    """
    surviving = Surviving.of(settings)
    with figures(settings) as ledger:
        return surviving.unknown_to(ledger)


def refuse_forgotten(settings: Settings, ledger: "Ledger | None") -> None:
    """Raise unless the ledger knows every call of revenue that the warehouse or the archive has.

    Raises:
        StorageError: the ledger does not know one.
    """
    surviving = Surviving.of(settings)
    with ledger.figures() if ledger else nullcontext() as figures_of:
        found = surviving.unknown_to(figures_of)
    if not found.has_revenue:
        return
    times = [at for at, dataset in found.calls.items() if dataset == REVENUE]
    _refuse_older(found)
    if not times:
        raise StorageError(
            "The ledger is empty, and parquet/imports has revenue that was pushed: it was lost, and that revenue "
            "would count twice.",
            f"{_ADOPT}. {_EMPTIED}",
        )
    raise StorageError(
        f"The ledger does not know {plural(len(times), 'call')} of revenue that {found.known_by} has, the last one of"
        f" {max(times):%Y-%m-%d %H:%M} UTC: it was lost, or restored from a backup, and they would count twice.",
        f"{_ADOPT}. {_EMPTIED}",
    )


def refuse_older(settings: Settings) -> None:
    """Raise unless the ledger knows every row of revenue in an archive without notes of calls.

    Raises:
        StorageError: the ledger does not know one; or as `lost`.
    """
    _refuse_older(lost(settings))


def _refuse_older(found: Lost) -> None:
    if found.rows:
        raise StorageError(
            f"The ledger does not know {plural(found.rows, 'row')} of revenue that parquet/imports has: it was "
            "restored from a backup, so that they would count twice, or a push was stopped before it sent them.",
            f"{_ADOPT}; they are in doubt then, and trackly-sync resolve settles them. {_EMPTIED}",
        )


def of_ledger(settings: Settings) -> Condition:
    """Return a condition that fires if the ledger was lost.

    Raises:
        StorageError: see `lost`.
    """
    found = lost(settings)
    if not found:
        return Condition("lost:ledger", firing=False, text="the ledger knows every call that was made")
    counts = {"calls": len(found.calls), "datasets": list(found.datasets), "rows": found.rows}
    return Condition("lost:ledger", firing=True, text=found.text, remedy=found.remedy, figures=counts)
