"""Passes on the output of Dagster's programs until they are stopped, since they report a stop as a failure.

Their child processes write to the same pipe, and cannot be told to be quiet. What must not go in: which programs
there are, and how they are stopped (`serve`).
"""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 65_536
_MOST_SECONDS = 5.0
"""Longest wait for earlier output; a program that prints without end is cut off."""


class Relay:
    """Passes on data written into a pipe until it is silenced; later data is read and dropped.

    Args:
        target: the descriptor to write to.

    Attributes:
        writing: the descriptor for programs to write to.
    """

    def __init__(self, target: int) -> None:
        self._reading, self.writing = os.pipe()
        self._stopped, self._stop = os.pipe()
        self._target = target
        self._silent = threading.Event()
        threading.Thread(target=self._pass_on, name="relay", daemon=True).start()

    def silence(self) -> None:
        """Pass on data written until now, and drop later data."""
        os.close(self._stop)
        self._silent.wait(_MOST_SECONDS)
        self._silent.set()
        os.close(self.writing)

    def _pass_on(self) -> None:
        """Pass on data until all writers have closed the pipe."""
        while not self._silent.is_set():
            ready, _, _ = select.select([self._reading, self._stopped], [], [])
            if self._reading in ready:
                self._copy()
            else:
                self._silent.set()
        while os.read(self._reading, _CHUNK):
            pass

    def _copy(self) -> None:
        """Pass on the available data."""
        chunk = os.read(self._reading, _CHUNK)
        if not self._silent.is_set():
            with suppress(OSError):  # the reader has gone
                os.write(self._target, chunk)


@contextmanager
def relayed() -> Iterator[tuple[Relay, Relay]]:
    """Yield relays to standard output and standard error, silenced at the end of the block."""
    both = Relay(1), Relay(2)
    try:
        yield both
    finally:
        for relay in both:
            relay.silence()
