"""Signs of life: while this process lives, it keeps updating the modification time of the files that mark its work.

After it was killed, their time shows when it was last at work. What does not belong here: what the files mean
(`pipelines.runs`, `pipelines.runs.run_state`).
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
"""The thread that gives signs of life, and its stop event; none without a file."""
_changing = Lock()


def begin(handle: int) -> None:
    """Give signs of life with an open file, until `end`."""
    with _changing:
        _files.add(handle)
        if not _going:
            stop = Event()
            thread = Thread(target=_beat, args=(stop,), name="heartbeat", daemon=True)
            thread.start()
            _going.append((thread, stop))  # if an interrupt prevents this line, the thread ends by itself


def end(handle: int) -> None:
    """Stop the signs of life of a file; call this before the file is closed."""
    with _changing:
        _files.discard(handle)
        if not _files and _going:
            thread, stop = _going.pop()
            stop.set()
            thread.join()


def last_sign(handle: int) -> str:
    """Return the time of an open file's last sign of life: ISO 8601, UTC."""
    return datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC).isoformat()


def _beat(stop: Event) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # for the main thread
    while not stop.wait(_EVERY):
        if not any(one is stop for _, one in _going):
            return  # an interrupt has kept `begin` from noting this thread
        if _changing.acquire(blocking=False):  # the holder may be waiting for this thread to end
            try:
                _sign()
            finally:
                _changing.release()


def _sign() -> None:
    for handle in _files:
        with suppress(OSError):
            os.utime(handle)


def _forget() -> None:
    """Forget the heartbeat in a forked process, since the work belongs to its parent."""
    global _changing  # noqa: PLW0603 - somebody may have held it, who does not live here
    _changing = Lock()
    _files.clear()
    _going.clear()


os.register_at_fork(after_in_child=_forget)
