"""Calls into the engine: our errors as Dagster shows them, and interrupts as the engine takes them.

What must not go in: retries. One layer retries, and that is the client's.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from assets.resources import Trackly
from pipelines.errors import TracklySyncError
from pipelines.push.stage.cleanup import tidy
from pipelines.settings import Settings
from pipelines.storage import claim
from pipelines.text.sanitize import plain


class Stopped(dg.Failure):
    """A step ended by an error of ours; Dagster's pages begin its message with the name of this class."""


Stopped.__module__ = "builtins"  # where Python shows a name without its module


@contextmanager
def engine(trackly: Trackly) -> Iterator[Settings]:
    """The settings, for calls into the engine.

    Raises:
        Stopped: in place of a TracklySyncError; carries its remedy and exit code, and is not retried.
    """
    show_stacks()
    with _interruptible():
        try:
            settings = trackly.settings()
            claim(settings.data_dir)
            tidy(settings)
            yield settings
        except TracklySyncError as error:
            sys.tracebacklimit = 0  # Dagster reads it after this block; `show_stacks` undoes it
            raise Stopped(
                description=plain(str(error)),
                metadata={
                    "problem": plain(error.message),
                    "remedy": plain(error.remedy) or "-",
                    "exit_code": error.exit_code,
                    "kind": type(error).__name__,
                },
                allow_retries=False,
            ) from None


def show_stacks() -> None:
    """Undo what a step's error has set: an error that nobody foresaw shows where it came from."""
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM so that the engine can put away what it began.

    Dagster's handler raises wherever the interpreter happens to be, and an event loop that is in a callback
    swallows that. With Python's own handler in place, asyncio cancels its main task instead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(_number: int, _frame: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    terminate = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
