"""How every command ends: errors as two lines and an exit code, Ctrl-C and SIGTERM without half-done work."""

import functools
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec

import typer

from pipelines.cli.terminal import err
from pipelines.errors import TracklySyncError

P = ParamSpec("P")

STOPPED = 130
TERMINATED = 143
_state = {"verbose": False, "terminated": False}


def set_verbose(verbose: bool) -> None:
    """Whether errors show where they came from."""
    _state["verbose"] = verbose


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """A command that returns its exit code, as typer wants it."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # A shell starts background jobs with SIGINT ignored, and our children would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)
        try:
            code = command(*args, **kwargs) or 0
        except TracklySyncError as error:
            code = _told(error)
        except KeyboardInterrupt:
            err.print("Stopped. Nothing is half-done; run the same command to go on.")
            code = TERMINATED if _state["terminated"] else STOPPED
        except BrokenPipeError:  # the reader of our output has gone
            _leave_quietly()
            code = 0
        except Exception as error:  # noqa: BLE001 - the last resort: no traceback for a user
            code = _unexpected(error)
        raise typer.Exit(code)

    return run


def _leave_quietly() -> None:
    """Keep the interpreter from writing what is left over into the closed pipe, and from complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: TracklySyncError) -> int:
    err.print(f"[bold red]Error:[/] {_plain(error.message)}")
    if error.remedy:
        err.print(f"  → {_plain(error.remedy)}")
    if _state["verbose"]:
        err.print_exception()
    return error.exit_code


def _unexpected(error: Exception) -> int:
    err.print(f"[bold red]Unexpected error:[/] {type(error).__name__}. This is a defect; please report it.")
    if _state["verbose"]:
        err.print_exception()
    else:
        err.print("  → Run it again with --verbose to see where it came from.")
    return 1


def _plain(text: str) -> str:
    """Text that rich shows as it is."""
    return text.replace("[", r"\[")


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM stops as Ctrl-C does, cleanly, with its own exit code."""
    _state["terminated"] = True
    signal.raise_signal(signal.SIGINT)
