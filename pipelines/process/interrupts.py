"""Handles Ctrl-C: the first lets the work stop cleanly, the second ends the process.

The command line makes `interrupt` the handler of SIGINT and `terminate` that of SIGTERM; in Dagster, which has
handlers of its own, `taken` does this during a step. Without handlers, as in a library, `run` is `asyncio.run`. What
does not belong here: messages to the user, and exit codes (`pipelines.cli.shared.exits`).
"""

import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_SOON = 0.1
"""Seconds."""

_IMPORTS = "<frozen importlib._bootstrap>"
"""The file name of Python's import code."""


@dataclass(slots=True)
class _State:
    count: int = 0
    cancel: Callable[[], object] | None = None
    leave: Callable[[], object] | None = None
    armed: bool = False
    raised: bool = False
    terminated: bool = False
    otherwise: Callable[[Any], object] = sys.__unraisablehook__


_state = _State()
"""Module state, since a signal handler takes no arguments and a process has one SIGINT."""


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Handle a SIGINT; during a Python import, send it again later.

    A C library may end the process with a dump if its import is interrupted.

    Raises:
        KeyboardInterrupt: no coroutine runs that could be cancelled.
    """
    if _is_importing(frame):
        _send_soon()
        return
    _state.count += 1
    if _state.count > 1 and _state.armed and _state.leave:
        _state.leave()
    if not _state.cancel:
        _state.raised = True
        raise KeyboardInterrupt
    _state.cancel()


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTS:
            return True
        frame = frame.f_back
    return False


def _send_soon() -> None:
    """Send a SIGINT to the main thread, which wakes it if it waits."""
    main = threading.main_thread().ident
    if main:
        threading.Timer(_SOON, signal.pthread_kill, [main, signal.SIGINT]).start()


def terminate(_number: int, _frame: FrameType | None) -> None:
    """Handle a SIGTERM: stop cleanly as with Ctrl-C, with another exit code.

    Raises:
        KeyboardInterrupt: as `interrupt`.
    """
    _state.terminated = True
    signal.raise_signal(signal.SIGINT)


def was_terminated() -> bool:
    """Whether a SIGTERM stopped the work, not Ctrl-C."""
    return _state.terminated


def at_second(leave: Callable[[], object]) -> None:
    """Set the function that a second SIGINT calls, after `run` was used: it ends the process."""
    _state.count, _state.leave, _state.armed, _state.raised = 0, leave, False, False
    _state.terminated = False
    if sys.unraisablehook is not _raise_again:
        _state.otherwise, sys.unraisablehook = sys.unraisablehook, _raise_again


def _raise_again(unraisable: Any) -> None:
    """Send a SIGINT again if Python cannot pass on a KeyboardInterrupt, since it came while an object was deleted."""
    if unraisable.exc_type is not KeyboardInterrupt or not _state.raised:
        _state.otherwise(unraisable)
        return
    waiting = True
    while waiting:
        _state.count -= 1
        try:
            _send_soon()
            waiting = False
        except KeyboardInterrupt:  # on a busy machine it may come already here, and would be lost
            continue


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Raise KeyboardInterrupt if a block ended with another error because of SIGINT.

    A C library that calls back into Python, or checks for signals itself as DuckDB does, turns the interrupt into
    another error. So may cleanup code after an incomplete call.

    Raises:
        KeyboardInterrupt: the block ended with an error, and SIGINT had come.
    """
    try:
        yield
    except Exception:
        if _state.raised:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def taken() -> Iterator[None]:
    """During a block, let SIGINT and SIGTERM stop the work as `interrupt` does, instead of the earlier handlers.

    Other handlers raise wherever the interpreter happens to be, and an event loop in a callback, or DuckDB, swallows
    the error. Use this only in the main thread. The second signal waits for no coroutine.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came.
    """

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = replace(_state)
    at_second(_raise)
    handlers = {signal.SIGINT: signal.signal(signal.SIGINT, interrupt)}
    handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, pass_on)
    try:
        with interrupts_deferred():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _state.count, _state.leave, _state.armed = before.count, before.leave, before.armed
        _state.raised, _state.terminated = before.raised, before.terminated


def _raise() -> NoReturn:
    raise KeyboardInterrupt


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; the first SIGINT cancels it.

    Raises:
        KeyboardInterrupt: it was cancelled by SIGINT.
    """
    import asyncio  # noqa: PLC0415 - status and others run no coroutine

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not interrupt:
        return asyncio.run(work)
    _state.armed = True
    before = _state.count
    try:
        with asyncio.Runner() as runner:
            return runner.run(_cancelled_by_interrupt(work))
    except asyncio.CancelledError:
        # caught outside of the task: asyncio may cancel the task's last step after its end
        if _state.count > before:
            raise KeyboardInterrupt from None
        raise


async def _cancelled_by_interrupt(work: Coroutine[Any, Any, T]) -> T:
    import asyncio  # noqa: PLC0415 - as in `run`

    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel() -> None:
        if task:
            task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # wakes the loop if it waits

    _state.cancel = cancel
    try:
        return await work
    finally:
        _state.cancel = None
