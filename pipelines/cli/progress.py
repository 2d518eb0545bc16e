"""Progress: live bars for a person at a terminal, a line now and then for a log."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipelines.cli.terminal import err

Report = Callable[[str, int, int | None], None]
"""Called with (dataset, rows done, rows in all if known), from any thread."""

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress(verb: str, *, quiet: bool) -> Iterator[Report]:
    """Show how far datasets are.

    Args:
        verb: what is done to them, such as "pull".
        quiet: show nothing.
    """
    if quiet:
        yield lambda *_: None
    elif err.is_terminal:
        with _bars(verb) as report:
            yield report
    else:
        yield _lines(verb)


@contextmanager
def _bars(verb: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:>11,.0f} rows  {task.fields[rate]:>9,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    started: dict[str, float] = {}
    lock = threading.Lock()
    with Progress(*columns, console=err, transient=True) as bars:

        def report(dataset: str, done: int, total: int | None) -> None:
            with lock:
                if dataset not in tasks:
                    tasks[dataset] = bars.add_task(f"{verb} {dataset}", total=None, rate=0.0)
                    started[dataset] = time.monotonic()
            rate = done / max(time.monotonic() - started[dataset], 0.001)
            known = max(total, done) if total else None
            bars.update(tasks[dataset], completed=done, total=known, rate=rate)

        yield report


def _lines(verb: str) -> Report:
    last: dict[str, float] = {}

    def report(dataset: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - last.setdefault(dataset, now) < _SECONDS_BETWEEN_LINES:
            return
        last[dataset] = now
        of = f" of {total:,}" if total else ""
        err.print(f"{verb} {dataset}: {done:,}{of} rows")

    return report
