"""Logs: which run a line belongs to, and lines of JSON for machines that collect them.

The engine logs through the standard library. A record may carry `event`, the stable name of what happened (`begin`,
`end`, `retry`, `chunk`, `quarantine`, `in_doubt`, `alert`), and figures beside it, all by `extra`; as JSON they are
fields of their own. Nothing personal and never the key goes into a record: no phone numbers, messages or custom
fields, and no bodies or whole URLs. From INFO on, the lines of each run are kept as a file, whoever runs it. What
does not belong here: who else listens (the command line, Dagster).
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from glob import escape
from pathlib import Path

from pipelines.text.sanitize import for_json

run_id: ContextVar[str] = ContextVar("run_id", default="")
"""The run that the code at hand belongs to; "" outside of any."""

ENGINE = "pipelines"
"""The logger above all of the engine's."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object on a line: time, level, run, message, logger, and what `extra` added.

    Of an exception only its class is logged: its text may quote what must not be in a log.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "run": run_id.get(),
            "message": record.getMessage(),
            "logger": record.name,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
        return for_json(json.dumps(line, default=str, ensure_ascii=False))


def json_to_stderr() -> logging.Handler:
    """A handler that writes lines of JSON to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    return handler


def log_to(handler: logging.Handler, level: int) -> None:
    """Send the engine's log records from `level` on to a handler, and only warnings of other libraries.

    Lower levels of other libraries are dropped at any `level`: httpx and SQLAlchemy would log URLs and values.
    """
    handler.setLevel(level)
    handler.addFilter(_is_no_stop)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # the retry counter of the progress bar needs records from INFO on
    logging.getLogger(ENGINE).setLevel(min(level, logging.INFO))


def _is_no_stop(record: logging.LogRecord) -> bool:
    """Return whether a record is not of a Ctrl-C, which SQLAlchemy logs with a traceback and passes on."""
    return not (record.exc_info and record.exc_info[0] is KeyboardInterrupt)


class _RunsFile(logging.Handler):
    """Appends the lines of one run to a file; a line that the disk refuses is lost, without an error.

    Args:
        folder: of the file.
        run: the run's id.
        usual_level: level of the engine's logger before the first of these handlers.

    Attributes:
        blocks: how many blocks of `kept` are open.
    """

    def __init__(self, folder: Path, run: str, usual_level: int) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines())
        self.blocks = 0
        self.key, self.usual_level = (folder, run), usual_level
        self._path, self._run = _file_of(folder, run), run

    def emit(self, record: logging.LogRecord) -> None:
        if run_id.get() == self._run:
            with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
                file.write(f"{self.format(record)}\n")


_RUNS_KEPT = 500


@contextmanager
def logged_to_file(folder: Path, run: str) -> Iterator[None]:
    """Write the engine's log records of a run to a file in the folder; blocks of one run may overlap."""
    engine = logging.getLogger(ENGINE)
    handler = _runs_file(engine, folder, run)
    handler.blocks += 1
    try:
        yield
    finally:
        handler.blocks -= 1
        if not handler.blocks:
            engine.removeHandler(handler)
        if not _runs_files(engine):
            engine.setLevel(handler.usual_level)


def _runs_file(engine: logging.Logger, folder: Path, run: str) -> _RunsFile:
    """Return the handler of a run; add it to the logger, with the level that it needs, if it is new."""
    there = _runs_files(engine)
    for handler in there:
        if handler.key == (folder, run):
            return handler
    handler = _RunsFile(folder, run, there[0].usual_level if there else engine.level)
    if not engine.isEnabledFor(logging.INFO):
        engine.setLevel(logging.INFO)
    engine.addHandler(handler)
    return handler


def _runs_files(engine: logging.Logger) -> list[_RunsFile]:
    return [handler for handler in engine.handlers if isinstance(handler, _RunsFile)]


def kept_logs(folder: Path) -> dict[str, Path]:
    """Return the log files by run, oldest first."""
    return {path.stem.partition("-")[2]: path for path in sorted(folder.glob("*-*.ndjson"))}


def _file_of(folder: Path, run: str) -> Path:
    """Return the log file of a run, which another process may have begun; delete the oldest files for a new one."""
    known = next(folder.glob(f"*-{escape(run)}.ndjson"), None)
    if known:
        return known
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.ndjson"))[: 1 - _RUNS_KEPT]:
            old.unlink(missing_ok=True)
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{run}.ndjson"
