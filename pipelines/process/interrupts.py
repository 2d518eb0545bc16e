"""How Ctrl-C reaches the work of this process: the first ends it in its own time, the second ends the process.

The command line makes `interrupt` the handler of SIGINT and `terminate` that of SIGTERM; in Dagster, with its own,
`taken` does for the length of a step. Without that, as in a library, `run` is `asyncio.run`.
What does not belong here: messages to the user, and exit codes (`pipelines.cli.shared.exits`).
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
"""The file of Python's code that imports, by its own name."""


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
"""In one place, since a signal handler takes no arguments and a process has one SIGINT."""


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Take a SIGINT; one that comes during an import is sent again after it.

    A library in C may end the process with a dump where its import is interrupted.

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
    """Send a SIGINT to the main thread, which wakes it where it waits."""
    main = threading.main_thread().ident
    if main:
        threading.Timer(_SOON, signal.pthread_kill, [main, signal.SIGINT]).start()


def terminate(_number: int, _frame: FrameType | None) -> None:
    """Take a SIGTERM: it stops as Ctrl-C does, cleanly, with an exit code of its own.

    Raises:
        KeyboardInterrupt: as `interrupt`.
    """
    _state.terminated = True
    signal.raise_signal(signal.SIGINT)


def was_terminated() -> bool:
    """Whether a SIGTERM stopped the work, not Ctrl-C."""
    return _state.terminated


def at_second(leave: Callable[[], object]) -> None:
    """What a second SIGINT does, once a coroutine was run by `run`: it ends the process."""
    _state.count, _state.leave, _state.armed, _state.raised = 0, leave, False, False
    _state.terminated = False
    if sys.unraisablehook is not _raise_again:
        _state.otherwise, sys.unraisablehook = sys.unraisablehook, _raise_again


def _raise_again(unraisable: Any) -> None:
    """Send a KeyboardInterrupt once more that Python cannot pass on, since it came while an object was put away."""
    if unraisable.exc_type is not KeyboardInterrupt or not _state.raised:
        _state.otherwise(unraisable)
        return
    waiting = True
    while waiting:
        _state.count -= 1
        try:
            _send_soon()
            waiting = False
        except KeyboardInterrupt:  # on a busy machine it came already, and would be lost here too
            continue


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Keep a KeyboardInterrupt what it is, whatever has become of it on its way.

    A library in C that calls Python back, or that looks for signals itself as DuckDB does, passes it on as another
    error, and so may what cleans up after half of a call.

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
    """For the length of a block, SIGINT and SIGTERM stop its work as `interrupt` does, whatever they did before.

    The handlers of another program raise wherever the interpreter happens to be, and an event loop that is in a
    callback swallows that, as DuckDB does. Only for the main thread. The second one waits for no coroutine.

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
    except asyncio.CancelledError:  # outside of the task, whose last step asyncio cancels after its end
        if _state.count > before:
            raise KeyboardInterrupt from None
        raise


async def _cancelled_by_interrupt(work: Coroutine[Any, Any, T]) -> T:
    import asyncio  # noqa: PLC0415 - as in `run`

    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel() -> None:
        if task:
            task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # wakes it, if it waits

    _state.cancel = cancel
    try:
        return await work
    finally:
        _state.cancel = None
