"""Signs of life: as long as this process lives, the files that show its work have the time of a moment ago.

Once it was killed, their time says until when it was certainly at work. What does not belong here: what the files
mean (`pipelines.runs`, `pipelines.runs.run_state`).
"""

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event, Lock, Thread

_EVERY = 1.0
"""Seconds from one sign to the next."""

_files: set[int] = set()
_going: list[tuple[Thread, Event]] = []
"""The one thread that shows signs of life, and what stops it; none as long as there is no file."""
_changing = Lock()


def begin(handle: int) -> None:
    """Show signs of life with an open file, until `end`."""
    with _changing:
        _files.add(handle)
        if not _going:
            stop = Event()
            thread = Thread(target=_beat, args=(stop,), name="heartbeat", daemon=True)
            thread.start()
            _going.append((thread, stop))  # one that an interrupt keeps from being there ends by itself


def end(handle: int) -> None:
    """Show no more of them with it; before it is closed."""
    with _changing:
        _files.discard(handle)
        if not _files and _going:
            thread, stop = _going.pop()
            stop.set()
            thread.join()


def last_sign(handle: int) -> str:
    """When an open file had its last sign of life: ISO 8601, UTC."""
    return datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC).isoformat()


def _beat(stop: Event) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # they are the main thread's
    while not stop.wait(_EVERY):
        if not any(one is stop for _, one in _going):
            return  # an interrupt has kept `begin` from noting this thread
        if _changing.acquire(blocking=False):  # whoever holds it may wait for this thread to end
            try:
                _sign()
            finally:
                _changing.release()


def _sign() -> None:
    for handle in _files:
        with suppress(OSError):
            os.utime(handle)


def _forget() -> None:
    """A forked process has no heartbeat: what goes on is its parent's."""
    global _changing  # noqa: PLW0603 - somebody may have held it, who does not live here
    _changing = Lock()
    _files.clear()
    _going.clear()


os.register_at_fork(after_in_child=_forget)
