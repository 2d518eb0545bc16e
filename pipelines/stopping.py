"""How Ctrl-C reaches the work of this process: the first ends it in its own time, the second ends the process.

The command line makes `interrupt` the handler of SIGINT. Without that, as in Dagster, `run` is `asyncio.run`.
What does not belong here: what is said to the user, and exit codes (`pipelines.cli.guarded`).
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _State:
    count: int = 0
    cancel: Callable[[], object] | None = None
    leave: Callable[[], object] | None = None
    armed: bool = False


_state = _State()


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take a SIGINT.

    Raises:
        KeyboardInterrupt: no coroutine runs that could be cancelled.
    """
    _state.count += 1
    if _state.count > 1 and _state.armed and _state.leave:
        _state.leave()
    if not _state.cancel:
        raise KeyboardInterrupt
    _state.cancel()


def at_second(leave: Callable[[], object]) -> None:
    """What a second SIGINT does, once a coroutine was run by `run`: it ends the process."""
    _state.count, _state.leave, _state.armed = 0, leave, False


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; the first SIGINT cancels it.

    Raises:
        KeyboardInterrupt: it was cancelled by SIGINT.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not interrupt:
        return asyncio.run(work)
    _state.armed = True
    with asyncio.Runner() as runner:
        return runner.run(_cancelled_by_interrupt(work))


async def _cancelled_by_interrupt(work: Coroutine[Any, Any, T]) -> T:
    task, loop, before = asyncio.current_task(), asyncio.get_running_loop(), _state.count

    def cancel() -> None:
        if task:
            task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # wakes it, if it waits

    _state.cancel = cancel
    try:
        return await work
    except asyncio.CancelledError:
        if _state.count > before:
            raise KeyboardInterrupt from None
        raise
    finally:
        _state.cancel = None
