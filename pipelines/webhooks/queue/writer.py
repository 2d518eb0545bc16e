"""Group commit: one thread writes whatever has come while it wrote before, so that many events share one wait.

An event's future is done once it is on the disk, or failed when it is not. What waits in memory is bounded; beyond
that, events are refused at once. What does not belong here: tables (`store`), HTTP (`receive`).
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pipelines.errors import StorageError
from pipelines.webhooks.queue.store import Arrival, Rejection, Store

MOST_WAITING_BYTES = 64 * 2**20
_BATCH_ITEMS = 2_000
_BATCH_BYTES = 8 * 2**20
_OVERHEAD = 500
"""What an item takes in memory beside its body, about."""

_log = logging.getLogger(__name__)


class QueueFull(Exception):  # noqa: N818 - a state, not only a failure
    """More waits than memory may hold."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: Arrival | Rejection | None
    done: "asyncio.Future[None]"
    loop: asyncio.AbstractEventLoop

    @property
    def size(self) -> int:
        return _OVERHEAD + (len(self.item.body) if isinstance(self.item, Arrival) else 0)


class Writer:
    """The thread that writes to the store, from its construction until `close`.

    Args:
        store: where to.
        most_bytes: what may wait.
    """

    def __init__(self, store: Store, most_bytes: int = MOST_WAITING_BYTES) -> None:
        self._store, self._most = store, most_bytes
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._unstored = 0
        self._closed = False
        self._change = threading.Condition()
        self.failed = False
        self._thread = threading.Thread(target=self._run, name="webhook-writer", daemon=True)
        self._thread.start()

    async def write(self, item: Arrival | Rejection | None) -> None:
        """Have something written, and wait until it is on the disk. None only shows whether that is possible.

        Raises:
            QueueFull: too much waits.
            StorageError: it could not be written.
        """
        loop = asyncio.get_running_loop()
        one = _Waiting(item, loop.create_future(), loop)
        with self._change:
            if self._closed or self._bytes + one.size > self._most:
                raise QueueFull
            self._waiting.append(one)
            self._bytes += one.size
            self._change.notify()
        await one.done

    def close(self) -> None:
        """Write what still waits, and end."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            failure = self._store_all([one.item for one in batch])
            with self._change:
                self._bytes -= sum(one.size for one in batch)
            for loop in {one.loop for one in batch}:
                futures = [one.done for one in batch if one.loop is loop]
                with suppress(RuntimeError):  # the loop is closed, and nobody waits
                    loop.call_soon_threadsafe(_settle(futures, failure))

    def _take(self) -> list[_Waiting]:
        """What waits, as much as one commit should hold; nothing when it is over."""
        with self._change:
            while not self._waiting and not self._closed:
                self._change.wait()
            size = 0
            for count, one in enumerate(self._waiting, 1):
                size += one.size
                if size > _BATCH_BYTES or count == _BATCH_ITEMS:
                    break
            else:
                count = len(self._waiting)
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            return batch

    def _store_all(self, items: list[Arrival | Rejection | None]) -> StorageError | None:
        """Write them in one commit; what went wrong, if anything did."""
        arrivals = [item for item in items if isinstance(item, Arrival)]
        rejections = [item for item in items if isinstance(item, Rejection)]
        failure: StorageError | None = None
        try:
            if arrivals or rejections:
                self._store.append(arrivals, rejections, self._unstored)
                self._unstored = 0
            if None in items:
                self._beat()
        except StorageError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the thread must not end while requests wait for it
            failure = StorageError(f"Events cannot be stored: {type(error).__name__}.", "Report this.")
        self._note(failure, len(arrivals))
        return failure

    def _beat(self) -> None:
        if self.failed:  # a sign of life takes no room, and an event does
            self._store.probe()
        self._store.beat(serving=True)

    def _note(self, failure: StorageError | None, arrivals: int) -> None:
        """Log a change from good to bad or back, once and not for every request, and count what is lost."""
        if failure and not self.failed:
            _log.error("Events are answered with 503: %s", failure)
        elif self.failed and not failure:
            _log.warning("Events can be stored again.")
        self.failed = failure is not None
        self._unstored += arrivals if failure else 0


def _settle(futures: "list[asyncio.Future[None]]", failure: StorageError | None) -> Callable[[], None]:
    def settle() -> None:
        for future in futures:
            if future.done():  # nobody waits any more
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

    return settle
