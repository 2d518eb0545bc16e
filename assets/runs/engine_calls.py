"""Calls into the engine: converts our errors for Dagster, and interrupts for the engine.

What must not go in: retries, since only the client retries.
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
    """The error of a step that one of our errors ended; Dagster's pages begin the message with this class's name."""


Stopped.__module__ = "builtins"  # so that Python shows the name without its module


@contextmanager
def engine(trackly: Trackly) -> Iterator[Settings]:
    """Yield the settings for calls into the engine.

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
    """Restore tracebacks after a step's error, so that an unexpected error shows its origin."""
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


@contextmanager
def _interruptible() -> Iterator[None]:
    """Handle Ctrl-C and SIGTERM so that the engine can clean up; only in the main thread."""
    with taken() if threading.current_thread() is threading.main_thread() else nullcontext():
        yield
