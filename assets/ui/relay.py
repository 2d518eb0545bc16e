"""What Dagster's programs print, passed on until they are stopped: they complain of a stop as of a failure.

Their own children write to the same pipe, whom nobody here could tell to be quiet. What must not go in: which
programs there are, and how they are stopped (`serve`).
"""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 65_536
_MOST_SECONDS = 5.0
"""How long what was printed before is waited for; a program that prints without end is cut off."""


class Relay:
    """Passes on what is written into a pipe, until it is silenced; after that it is read and dropped.

    Args:
        target: the descriptor that it goes to.

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
        """Pass on what was written until now, and nothing of what comes."""
        os.close(self._stop)
        self._silent.wait(_MOST_SECONDS)
        self._silent.set()
        os.close(self.writing)

    def _pass_on(self) -> None:
        """Until everybody has closed the pipe."""
        while not self._silent.is_set():
            ready, _, _ = select.select([self._reading, self._stopped], [], [])
            if self._reading in ready:
                self._copy()
            else:
                self._silent.set()
        while os.read(self._reading, _CHUNK):
            pass

    def _copy(self) -> None:
        """Pass on what is there."""
        chunk = os.read(self._reading, _CHUNK)
        if not self._silent.is_set():
            with suppress(OSError):  # whoever reads it has gone
                os.write(self._target, chunk)


@contextmanager
def relayed() -> Iterator[tuple[Relay, Relay]]:
    """Relays to standard output and to standard error, silenced at the end of the block."""
    both = Relay(1), Relay(2)
    try:
        yield both
    finally:
        for relay in both:
            relay.silence()
