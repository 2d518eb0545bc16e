"""Summaries of runs for people: the activities of each run together, latest run first.

What does not belong here: keeping records (`pipelines.runs`), and showing them (`cli`, `report`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from pipelines.run_records.by_run import by_run
from pipelines.runs.recording import now
from pipelines.runs.run_state import last_sign, unended_runs
from pipelines.text.humanize import duration, plural
from schemas.own_tables.sync import RunRecord
from schemas.registry import PULLED, PUSHED

_STATUSES = ("running", "killed", "failed", "stopped", "succeeded")
"""Statuses of a run: it has the first of these that one of its activities has."""


_BESIDE = ("take in ", "publish", "measure ", "reconcile")
"""Activities whose rows other activities count too."""


_NOT_SHOWN = ("take in", "publish")
"""Verbs of intermediate steps, which are not shown."""


def _verb_of(activity: str) -> tuple[str, str]:
    """Return the verb of an activity and its dataset; "" if it has none."""
    verb, _, dataset = activity.rpartition(" ")
    return (verb, dataset) if verb else (dataset, "")


def _is_for_push(record: RunRecord) -> bool:
    """Whether a record is the intake of a push, before anything is sent."""
    return record.activity.startswith("take in ") and record.asked is not None


class _Earlier(msgspec.Struct):
    """Figures in a push's details about rows that an earlier push sent."""

    settled: int = 0
    settled_other_months: int = 0
    differs: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        run: its id.
        activities: its activities in order.
        unended: `running` until its process or job has ended, `killed` if the process is gone; otherwise "".
        last_sign: for a killed run, when it was last at work: ISO 8601, UTC; "" if its activities have it.
    """

    run: str
    activities: Sequence[RunRecord]
    unended: str = ""
    last_sign: str = ""

    @property
    def began(self) -> str:
        """When, as records hold it."""
        return self.activities[0].started_at

    @property
    def status(self) -> str:
        """Its status, from its activities and whether it has ended; a later version may have further statuses."""
        statuses = {self.unended, *(record.status for record in self.activities)}
        return next((status for status in _STATUSES if status in statuses), self.activities[-1].status)

    @property
    def rows(self) -> int:
        """Rows that it moved: pulled, sent, settled and so on; none for a push that ended in its intake."""
        return sum(record.rows or 0 for record in self._moving)

    @property
    def is_counted(self) -> bool:
        """Whether all rows that it moved are recorded; a killed activity has recorded none."""
        return all(record.status != "killed" or record.rows is not None for record in self._moving)

    @property
    def rows_moved(self) -> str:
        """The number of rows for people, also if not all are recorded."""
        units = {unit_of(record) for record in self._moving}
        known = plural(self.rows, "contact") if units == {"contact"} else f"{self.rows:,}"
        if self.is_counted:
            return known
        return f"{known} + ?" if self.rows else "unknown"

    @property
    def _moving(self) -> list[RunRecord]:
        """Return the activities whose rows to count; publishing and intake would count them again.

        A run with only such activities, such as a reconciliation, has their rows; but the intake of a push never
        counts.
        """
        moving = [record for record in self.activities if not record.activity.startswith(_BESIDE)]
        return moving or [record for record in self.activities if not _is_for_push(record)]

    @property
    def is_push(self) -> bool:
        """Whether it pushed, so that it has figures of a push."""
        return any(record.sent is not None for record in self.activities)

    @property
    def sent(self) -> int:
        """Rows that it sent, each counted once."""
        return sum(record.sent or 0 for record in self.activities)

    @property
    def accepted(self) -> int:
        """Rows that the account accepted through this run."""
        return sum(record.accepted or 0 for record in self.activities)

    @property
    def settled(self) -> int:
        """Rows of earlier calls that its readings found in the account; `accepted` includes them."""
        return sum(one.settled for one in self._earlier)

    @property
    def settled_other_months(self) -> int:
        """The same for months other than the run's; `accepted` does not include them."""
        return sum(one.settled_other_months for one in self._earlier)

    @property
    def differing(self) -> int:
        """Rows of its input that differ from what was sent and were not acknowledged."""
        return sum(one.differs for one in self._earlier)

    @property
    def _earlier(self) -> list[_Earlier]:
        pushes = [record for record in self.activities if record.sent is not None]
        return [msgspec.json.decode(record.details, type=_Earlier) for record in pushes]

    @property
    def left_out(self) -> int:
        """Rows that it held back, or that the account refused."""
        return sum(record.left_out or 0 for record in self.activities)

    @property
    def pending(self) -> int:
        """Rows that it should have sent and that are still pending."""
        return sum(record.pending or 0 for record in self.activities)

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end; of a killed run, to its last sign of life."""
        begin = min(record.started_at for record in self.activities)
        ends = [record.finished_at or record.started_at for record in self.activities]
        end = max([*ends, self.last_sign])
        end = now() if self.status == "running" else end
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()

    @property
    def took(self) -> str:
        """The same for people."""
        return took(self.seconds, self.status)

    @property
    def what(self) -> str:
        """Its command, or its verbs with their datasets; a push of a month names the month."""
        datasets: dict[str, list[str]] = {}
        for record in self.activities:
            verb, dataset = _verb_of(record.activity)
            datasets.setdefault(verb, []).append(dataset)
        asked = {_verb_of(one.activity)[0]: one.asked for one in self.activities if one.asked}
        shown = [verb for verb in datasets if verb in asked or verb not in _NOT_SHOWN]
        parts = [asked.get(verb) or self._phrase(verb, datasets[verb]) for verb in shown or datasets]
        return ", ".join(dict.fromkeys(parts))

    def _phrase(self, verb: str, datasets: Sequence[str]) -> str:
        every = {"pull": set(PULLED), "push": set(PUSHED)}
        names = "all" if set(datasets) == every.get(verb) else " ".join(dict.fromkeys(datasets))
        months = dict.fromkeys(record.month for record in self.activities if record.month)
        what = f"{verb} {names}".strip()
        return f"{what} of {', '.join(months)}" if verb == "push" and months else what

    @property
    def figures(self) -> str:
        """The figures of a push in a few words; empty for other runs, or without figures."""
        if not self.is_push:
            return ""
        more = {
            "of other months found accepted": self.settled_other_months,
            "left out": self.left_out,
            "differing from what was sent": self.differing,
            "pending": self.pending,
        }
        if not self.is_counted:
            return f"{self.sent:,} sent and counted before it was killed"
        sent_before = f" ({self.settled:,} of them sent earlier)" if self.settled else ""
        parts = [f"{self.sent:,} sent", f"{self.accepted:,} accepted{sent_before}"]
        return ", ".join([*parts, *(f"{rows:,} {name}" for name, rows in more.items() if rows)])

    @property
    def errors(self) -> list[str]:
        """Its errors, each once."""
        return list(dict.fromkeys(record.error for record in self.activities if record.error))


def unit_of(record: RunRecord) -> str:
    """Return the unit that an activity counts."""
    return "contact" if record.activity == "reconcile" else "row"


def latest_runs(data_dir: Path, limit: int) -> tuple[list[Run], bool]:
    """Return the latest runs, newest first, including those under way or killed; and whether there are more.

    Raises:
        StorageError: a record cannot be read.
    """
    runs = list(islice(every_run(data_dir), limit + 1))
    return runs[:limit], len(runs) > limit


def every_run(data_dir: Path) -> Iterator[Run]:
    """Yield every run, newest first; each is read only when needed.

    Raises:
        StorageError: a record cannot be read.
    """
    unended = unended_runs(data_dir)
    for records in by_run(data_dir):
        run = records[0].run
        state = unended.get(run, "")
        sign = last_sign(data_dir, run) if state == "killed" else None
        yield Run(run, records, state, sign or "")


def took(seconds: float, status: str) -> str:
    """Return how long a run or an activity took, for people; a killed one took at least this long.

    Args:
        seconds: to its end, or its last sign of life.
        status: its status.
    """
    return f"{duration(seconds)} + ?" if status == "killed" else duration(seconds)
