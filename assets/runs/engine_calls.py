"""Calls into the engine: our errors as Dagster shows them, and interrupts as the engine takes them.

What must not go in: retries. One layer retries, and that is the client's.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import dagster as dg

from assets.resources import Trackly
from pipelines.errors import TracklySyncError
from pipelines.process.interrupts import taken
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
    """Ctrl-C and SIGTERM so that the engine can put away what it began; another thread than the main one has none."""
    with taken() if threading.current_thread() is threading.main_thread() else nullcontext():
        yield
