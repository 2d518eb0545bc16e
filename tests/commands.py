"""`trackly-sync` as a process of its own, forked from one that has imported everything.

Tests that stop a command, look at its terminal or at what it imports start the installed script instead.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from forked import Forked

Done = subprocess.CompletedProcess[str]

NOBODY = "http://127.0.0.1:9/api/v2"
"""Where nobody listens."""


def started(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Forked:
    """Start a command in a folder, with this environment and no other."""
    return Forked(_main, (arguments,), environment, folder)


def started_for_nobody(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Forked:
    """As `started`, with a pipe for its output that nobody reads."""
    return Forked(_main_for_nobody, (arguments,), environment, folder)


def trackly_sync(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Done:
    """Run a command in a folder to its end, with this environment and no other."""
    with started(arguments, environment, folder) as process:
        shown, complained = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, shown.decode(), complained.decode())


def _main_for_nobody(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    try:
        _main(arguments)
    finally:
        sys.stdout.flush()  # as Python does at its end, where it would complain


def _main(arguments: tuple[str, ...]) -> None:
    sys.argv = ["trackly-sync", *arguments]
    from pipelines.cli import main  # noqa: PLC0415 - in this process, with this environment

    main()
