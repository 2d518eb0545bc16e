"""Runs as people ask for them: the activities of one run put together, the latest run first.

What does not belong here: keeping records (`runs`), and showing them (`cli`, `report`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.runs import newest, now, unended
from schemas.registry import PULLED, PUSHED
from schemas.sync import RunRecord

_STATUSES = ("running", "killed", "failed", "stopped", "succeeded")
"""What a run may be, the first of them that one of its activities is."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        run: its id.
        activities: what it did, in that order.
    """

    run: str
    activities: Sequence[RunRecord]

    @property
    def began(self) -> str:
        """When, as records hold it."""
        return self.activities[0].started_at

    @property
    def status(self) -> str:
        """What it is by its activities."""
        statuses = {record.status for record in self.activities}
        return next(status for status in _STATUSES if status in statuses)

    @property
    def rows(self) -> int:
        """Rows that it moved: those pulled and those accepted; publishing and intake would count them again."""
        moving = ("pull ", "push ", "rollback", "replay")
        return sum(record.rows or 0 for record in self.activities if record.activity.startswith(moving))

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end."""
        begin = min(record.started_at for record in self.activities)
        end = max(
            record.finished_at or (now() if record.status == "running" else record.started_at)
            for record in self.activities
        )
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()

    @property
    def what(self) -> str:
        """Its verbs, each with its datasets once."""
        verbs: dict[str, list[str]] = {}
        for record in self.activities:
            verb, _, dataset = record.activity.rpartition(" ")
            verb, dataset = (verb, dataset) if verb else (dataset, "")
            datasets = verbs.setdefault(verb, [])
            if dataset and dataset not in datasets:
                datasets.append(dataset)
        every = {"pull": set(PULLED), "push": set(PUSHED)}
        shown = [
            f"{verb} {'all' if set(of) == every.get(verb) else ' '.join(of)}".strip()
            for verb, of in verbs.items()
            if verb not in ("take in", "publish")
        ]
        return ", ".join(shown or verbs)

    @property
    def errors(self) -> list[str]:
        """What went wrong, each thing once."""
        return list(dict.fromkeys(record.error for record in self.activities if record.error))


def latest_runs(data_dir: Path, limit: int) -> tuple[list[Run], bool]:
    """The latest runs, newest first, those that are under way or were killed among them; and whether there are more.

    Raises:
        StorageError: a record cannot be read.
    """
    found: dict[str, list[RunRecord]] = {}
    more = False
    for record in newest(data_dir):
        if record.run not in found and len(found) == limit:
            more = True
            break
        found.setdefault(record.run, []).insert(0, record)
    for record in unended(data_dir):
        found.setdefault(record.run, []).append(record)
    runs = sorted(
        (Run(run, activities) for run, activities in found.items()), key=lambda run: run.began, reverse=True
    )
    return runs[:limit], more or len(runs) > limit
