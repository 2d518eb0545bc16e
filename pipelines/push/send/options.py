"""The options of sending.

What does not belong here: settings (`pipelines.settings`), and the options of an intake (`push.intake.options`).
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, time, timedelta
from pathlib import Path
from typing import TypedDict

from pipelines.push.checks.compared import Period
from pipelines.push.stage.database import Progress
from pipelines.run_records.failures import failure_recorded
from pipelines.runs.recording import part_of, this_run
from schemas.registry import PUSHED


@dataclass(frozen=True, slots=True)
class SendChoices:
    """The options of sending.

    Attributes:
        retry_rejected: whether rows that the API rejected earlier are tried again.
        between: send only rows of this period, by their own timestamp; the others stay pending.
        wait: whether to wait until revenue without an answer can be settled; else a later push settles it.
        on_progress: called after every batch and answer.
        run: the run's id in sync.runs; by default that of this process.
    """

    retry_rejected: bool = False
    between: Period | None = None
    wait: bool = True
    on_progress: Progress | None = None
    run: str = field(default_factory=this_run)

    @property
    def month(self) -> str | None:
        """The period as records name it: a month of UTC such as 2026-10, any other period by its two ends."""
        if self.between is None:
            return None
        first, end = (instant.astimezone(UTC) for instant in self.between)
        next_month = (first.replace(day=1) + timedelta(days=31)).replace(day=1)
        if first.day == 1 and first.time() == time() and end == next_month:
            return f"{first:%Y-%m}"
        return f"{first.isoformat()} to {end.isoformat()}"

    @contextmanager
    def on_record(self, data_dir: Path, datasets: Collection[str]) -> Iterator[None]:
        """Record runs of the block as parts of this push; if the push cannot begin, record that it failed.

        Args:
            data_dir: the data directory.
            datasets: names out of PUSHED.
        """
        names, month = [name for name in PUSHED if name in datasets], self.month
        what = f"push {'all' if len(names) == len(PUSHED) else ' '.join(names)}"
        asked = f"{what} of {month}" if month else what
        activities = [f"push {name}" for name in names]
        with part_of(asked), failure_recorded(data_dir, self.run, activities, month):
            yield


class SendOptions(TypedDict, total=False):
    """The attributes of `SendChoices`, as keyword arguments."""

    retry_rejected: bool
    between: Period | None
    wait: bool
    on_progress: Progress | None
    run: str
