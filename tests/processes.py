"""Processes of a test's own, to be killed or to run beside others: what they are started with, and code in one."""

import os
from pathlib import Path

from forked import Forked

from pipelines.sandbox import API_KEY
from pipelines.settings import Settings


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """This process's environment, and the settings that lead to a test's account and data directory."""
    return {
        **os.environ,
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": settings.base_url,
        "TRACKLY_DATA_DIR": str(settings.data_dir),
        **more,
    }


def measuring() -> dict[str, str]:
    """What has a process with an environment of its own measured under `make coverage`; else nothing."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def process(code: str, settings: Settings, **more: str) -> Forked:
    """A process that runs Python code."""
    given = {
        "TRACKLY_SETTLE_SECONDS": "0",
        "TRACKLY_LEDGER_URL": settings.ledger_url or "",
    }
    return Forked(_execute, (code,), environment(settings, **(given | more)), Path.cwd())


def _execute(code: str) -> None:
    exec(code, {"__name__": "__main__"})  # noqa: S102 - a test's own


def of_session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if fields[3] == str(leader) and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found
