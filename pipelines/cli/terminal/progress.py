"""Progress: live bars for a person at a terminal, a line now and then for a log."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from pipelines.cli.terminal.consoles import err, json_logs
from pipelines.logs import ENGINE
from pipelines.text.humanize import duration, form, plural
from schemas.registry import PUSHED

Report = Callable[[str, int, int | None], None]
"""Called with (dataset, rows done, rows in all if known), from any thread."""

_SECONDS_BETWEEN_LINES = 5.0
_SHORTEST = 0.3
"""Seconds below which a rate says nothing."""

_log = logging.getLogger(__name__)


@contextmanager
def progress(verb: str, *, quiet: bool) -> Iterator[Report]:
    """Show the progress of datasets, and the number of retries.

    Args:
        verb: what is done to them, such as "pull".
        quiet: show nothing.
    """
    if quiet:
        yield lambda *_: None
    elif err.is_terminal and not json_logs():
        with _counted() as retries, _bars(verb, retries) as report:
            yield report
    else:
        with _counted() as retries:
            yield _lines(verb, retries)


class Retries(logging.Handler):
    """Counts the retries that the engine logs, since the bars count only rows."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a log record if it is a retry."""
        self.count += getattr(record, "event", "") == "retry"

    def __str__(self) -> str:
        return plural(self.count, "retry", "retries") if self.count else ""


@contextmanager
def _counted() -> Iterator[Retries]:
    retries = Retries()
    logger = logging.getLogger(ENGINE)
    logger.addHandler(retries)
    try:
        yield retries
    finally:
        logger.removeHandler(retries)


def _title(verb: str, dataset: str) -> str:
    """Return the title of a bar; a push only reads the contacts, whose totals it needs."""
    return f"{'read' if verb == 'push' and dataset not in PUSHED else verb} {dataset}"


class _Pace:
    """The pace of a dataset; a falling count begins a new pass, such as sending after checking."""

    def __init__(self, done: int) -> None:
        self.began, self.first, self.done = time.monotonic(), done, done

    def rate(self, done: int) -> float:
        """Return rows per second since the first report of this pass; 0 if it is too early."""
        if done < self.done:
            self.began, self.first = time.monotonic(), done
        self.done = done
        took = time.monotonic() - self.began
        return (done - self.first) / took if took > _SHORTEST else 0.0


def _grown(total: int | None, done: int) -> int | None:
    """Return the total of rows, at least the rows done, since the total may be older; None if unknown."""
    return max(total, done) if total else None


def _left(total: float | None, done: float, rate: float) -> str:
    """Return how long the rest takes; "" if unknown."""
    return f", {duration((total - done) / rate)} left" if total and rate else ""


class _Rate(ProgressColumn):
    """A column with rows per second and the remaining time."""

    def render(self, task: Task) -> Text:
        rate = float(task.fields["rate"])
        if task.total and task.completed >= task.total:
            return Text("done")
        if not rate:
            return Text("")
        return Text(f"{rate:,.0f}/s{_left(task.total, task.completed, rate)}")


class _Again(ProgressColumn):
    """A column with the retries so far, next to the latest bar, since retries are not counted by dataset."""

    def __init__(self, retries: Retries, newest: dict[str, TaskID]) -> None:
        super().__init__()
        self._retries, self._newest = retries, newest

    def render(self, task: Task) -> Text:
        newest = max(self._newest.values(), default=None)
        return Text(str(self._retries) if task.id == newest else "", style="yellow")


@contextmanager
def _bars(verb: str, retries: Retries) -> Iterator[Report]:
    tasks: dict[str, TaskID] = {}
    paces: dict[str, _Pace] = {}
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:>11,.0f} rows{task.fields[share]:>5} "),
        _Rate(),
        _Again(retries, tasks),
    )
    lock = threading.Lock()
    with Progress(*columns, console=err, transient=True) as bars:

        def report(dataset: str, done: int, total: int | None) -> None:
            known = _grown(total, done)
            share = f"{done / known:.0%}" if known else ""
            with lock:
                if dataset not in tasks:
                    tasks[dataset] = bars.add_task(_title(verb, dataset), total=known, rate=0.0, share="")
                rate = paces.setdefault(dataset, _Pace(done)).rate(done)
                bars.update(tasks[dataset], completed=done, total=known, rate=rate, share=share)

        yield report


def _lines(verb: str, retries: Retries) -> Report:
    paces: dict[str, _Pace] = {}
    last: dict[str, float] = {}

    def report(dataset: str, done: int, total: int | None) -> None:
        rate = paces.setdefault(dataset, _Pace(done)).rate(done)
        now = time.monotonic()
        if now - last.setdefault(dataset, now) < _SECONDS_BETWEEN_LINES:
            return
        last[dataset] = now
        total = _grown(total, done)
        of_all = f" of {total:,}" if total else ""
        pace = f", {rate:,.0f}/s" if rate else ""
        left = _left(total, done, rate)
        again = f", {retries}" if retries.count else ""
        text = f"{_title(verb, dataset)}: {done:,}{of_all} {form(total or done, 'row', 'rows')}{pace}{left}{again}"
        if json_logs():
            figures = {"event": "progress", "dataset": dataset, "rows": done, "expected": total}
            _log.info(text, extra={**figures, "retries": retries.count})
        else:
            err.print(text, markup=False)

    return report
