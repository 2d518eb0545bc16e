"""Progress: live bars for a person at a terminal, a line now and then for a log."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from pipelines.cli.show import duration
from pipelines.cli.terminal import err, json_logs
from pipelines.logs import ENGINE

Report = Callable[[str, int, int | None], None]
"""Called with (dataset, rows done, rows in all if known), from any thread."""

_SECONDS_BETWEEN_LINES = 5.0
_log = logging.getLogger(__name__)


@contextmanager
def progress(verb: str, *, quiet: bool) -> Iterator[Report]:
    """Show how far datasets are, and what was tried again.

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
    """Counts the retries that the engine logs: the bars are told of rows only."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record of the log."""
        self.count += getattr(record, "event", "") == "retry"

    def __str__(self) -> str:
        return "" if not self.count else "1 retry" if self.count == 1 else f"{self.count:,} retries"


@contextmanager
def _counted() -> Iterator[Retries]:
    retries = Retries()
    logger = logging.getLogger(ENGINE)
    logger.addHandler(retries)
    try:
        yield retries
    finally:
        logger.removeHandler(retries)


class _Left(ProgressColumn):
    """How long a dataset has taken, and at its rate over the whole of it, how much longer it takes."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        took = duration(task.elapsed or 0.0)
        if not task.total or not task.completed or not task.elapsed:
            return Text(took)
        left = (task.total - task.completed) * task.elapsed / task.completed
        return Text("done" if not left else f"{took}, {duration(left)} left")


@contextmanager
def _bars(verb: str, retries: Retries) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:>11,.0f} rows{task.fields[share]:>5} {task.fields[rate]:>9,.0f}/s "),
        _Left(),
        TextColumn("[yellow]{task.fields[retries]}"),
    )
    tasks: dict[str, TaskID] = {}
    started: dict[str, float] = {}
    lock = threading.Lock()
    with Progress(*columns, console=err, transient=True) as bars:

        def report(dataset: str, done: int, total: int | None) -> None:
            with lock:
                if dataset not in tasks:
                    tasks[dataset] = bars.add_task(
                        f"{verb} {dataset}", total=None, rate=0.0, share="", retries=""
                    )
                    started[dataset] = time.monotonic()
            rate = done / max(time.monotonic() - started[dataset], 0.001)
            known = max(total, done) if total else None
            share = f"{done / known:.0%}" if known else ""
            bars.update(
                tasks[dataset], completed=done, total=known, rate=rate, share=share, retries=str(retries)
            )

        yield report


def _lines(verb: str, retries: Retries) -> Report:
    started: dict[str, float] = {}
    last: dict[str, float] = {}

    def report(dataset: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        began = started.setdefault(dataset, now)
        if now - last.setdefault(dataset, now) < _SECONDS_BETWEEN_LINES:
            return
        last[dataset] = now
        rate = done / (now - began)
        of = f" of {total:,}" if total else ""
        left = f", {duration((total - done) / rate)} left" if total and done else ""
        again = f", {retries}" if retries.count else ""
        text = f"{verb} {dataset}: {done:,}{of} rows, {rate:,.0f}/s{left}{again}"
        if json_logs():
            figures = {"event": "progress", "dataset": dataset, "rows": done, "expected": total}
            _log.info(text, extra={**figures, "retries": retries.count})
        else:
            err.print(text, markup=False)

    return report
