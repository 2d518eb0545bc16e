"""The end of every command: errors as two lines and an exit code, Ctrl-C and SIGTERM without half-done work.

The second Ctrl-C or SIGTERM ends the process immediately. What does not belong here: how the first one reaches the
work (`process.interrupts`).
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import NoReturn, ParamSpec

import typer

from pipelines.cli.shared.report_to_dagster import hand_over
from pipelines.cli.terminal.consoles import complain, err, json_logs, tell
from pipelines.cli.terminal.streams import discard
from pipelines.errors import TracklySyncError
from pipelines.logs import run_id
from pipelines.process import interrupts
from pipelines.process.exit_codes import DONE, FAILED, STOPPED, TERMINATED
from pipelines.runs.recording import new_run_id
from pipelines.runs.run_state import whole_run

P = ParamSpec("P")

verbose: ContextVar[bool] = ContextVar("verbose", default=False)
"""Whether errors show their origin in the code."""


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """Wrap a command that returns its exit code into a function for typer."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # A shell starts background jobs with SIGINT ignored, and our children would inherit that.
        signal.signal(signal.SIGINT, interrupts.interrupt)
        interrupts.at_second(_leave_at_once)
        signal.signal(signal.SIGTERM, interrupts.terminate)
        run_of_all = new_run_id()  # logs and records of a command belong to one run
        outer = run_id.set(run_of_all)
        began = datetime.now(UTC)
        try:
            with whole_run(run_of_all), interrupts.interrupts_deferred():
                code = command(*args, **kwargs) or DONE
            if sys.stdout:
                sys.stdout.flush()  # a write error is found before the exit code is chosen
        except TracklySyncError as error:
            code = _show_error(error)
        except KeyboardInterrupt:
            code = TERMINATED if interrupts.was_terminated() else STOPPED
            end_with(code)
            tell("Stopped. Nothing is half-done; run the same command to go on.")
        except BrokenPipeError:  # the reader of our output has gone
            discard(sys.stdout.fileno())
            code = DONE
        except Exception as error:  # noqa: BLE001 - the last resort: no traceback for a user
            code = _unexpected(error)
        end_with(code)
        hand_over(began)
        run_id.reset(outer)
        raise typer.Exit(code)

    return run


def end_with(code: int) -> None:
    """Make Ctrl-C and SIGTERM end the process with this exit code: its work has ended, which they do not change."""
    signal.signal(signal.SIGINT, lambda *_: leave(code))


def leave(code: int) -> NoReturn:
    """End the process without waiting for what the interpreter still clears up."""
    with suppress(OSError, ValueError):  # the reader of the output has gone
        sys.stdout.flush()
    os._exit(code)


def _leave_at_once() -> NoReturn:
    """End the process without cleanup; as after a crash, the records show what has to be settled."""
    with suppress(OSError, ValueError):
        err.show_cursor()
        tell("Stopped at once. What has no answer yet is settled when the same command runs again.")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    os._exit(TERMINATED if interrupts.was_terminated() else STOPPED)


def _show_error(error: TracklySyncError) -> int:
    complain(error.message, error.remedy)
    if verbose.get() and not json_logs():
        err.print_exception()
    return error.exit_code


def _unexpected(error: Exception) -> int:
    name = type(error).__name__
    if verbose.get() and not json_logs():
        complain(f"{name}. This is a defect; please report it.", title="Unexpected error")
        err.print_exception()
    else:
        remedy = "Run it again with --verbose, without TRACKLY_LOG_FORMAT=json, to see where it came from."
        complain(f"{name}. This is a defect; please report it.", remedy, "Unexpected error")
    return FAILED
