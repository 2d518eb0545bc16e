"""Logs: which run a line belongs to, and lines of JSON for machines that collect them.

The engine logs through the standard library. A record may carry `event`, the stable name of what happened (`begin`,
`end`, `retry`, `chunk`, `quarantine`, `in_doubt`, `alert`), and figures beside it, all by `extra`; as JSON they are
fields of their own. Nothing personal and never the key goes into a record: no phone numbers, messages or custom
fields, and no bodies or whole URLs. What does not belong here: who listens (the command line, Dagster).
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

run_id: ContextVar[str] = ContextVar("run_id", default="")
"""The run that the code at hand belongs to; "" outside of any."""

ENGINE = "pipelines"
"""The logger above all of the engine's."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object on a line: time, level, run, message, logger, and what `extra` added.

    Of an exception only its class is told: its text may quote what must not be in a log.
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
        return json.dumps(line, default=str, ensure_ascii=False)


def json_to_stderr() -> logging.Handler:
    """A handler that writes lines of JSON to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    return handler


def log_to(handler: logging.Handler, level: int) -> None:
    """Send what the engine logs from `level` on to a handler, and of other libraries warnings only.

    Their lower levels are left out whatever `level` is: httpx and SQLAlchemy would log URLs and values.
    """
    handler.setLevel(level)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # whoever counts retries for a person listens from INFO on
    logging.getLogger(ENGINE).setLevel(min(level, logging.INFO))
