"""Where replies are read and refined: in this process, and for large accounts in one of its own beside it.

A process costs half a second to start and memory for its imports, and gives the second core to decoding; below some
size it is not worth that. It is a plain child that is sent messages on stdin and answers on stdout, in their order;
not multiprocessing, which would import the caller's main module again. What does not belong here: what the child
does with a message (`process`), and the declared checks, which the caller runs beside the scan (`write.validate`).
"""

import asyncio
import os
import pickle
import subprocess
import sys
from asyncio import Future
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from pipelines.errors import StorageError
from pipelines.pull.decode.batches import Part
from pipelines.pull.decode.decoder import Refiner
from pipelines.pull.decode.process import PREFIX
from pipelines.pull.decode.row_keys import Seen
from pipelines.pull.decode.spool import Body, Spooled

ROWS_WORTH_A_PROCESS = 100_000

_ENOUGH = 8
"""Replies that wait for the child before this process reads one itself, so that neither is ever idle."""

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy's threads for linear algebra wait busily for work that never comes here."""


@asynccontextmanager
async def refining(name: str, snapshot: str, folder: Path) -> AsyncIterator["Refining"]:
    """Something that reads and refines the replies of one dataset; the child, if there is one, ends with the block.

    Args:
        name: the dataset's name in `PULLED`.
        snapshot: the id of the snapshot to be.
        folder: where parts go.
    """
    both = Refining(name, snapshot, folder)
    try:
        yield both
    finally:
        await both.close()


class Refining:
    """A `Refiner` here, and one in a child once that is up. What either has read is kept, or dropped, by it."""

    def __init__(self, name: str, snapshot: str, folder: Path) -> None:
        self._job = (name, snapshot, folder)
        self._here = Refiner(*self._job)
        self._child: _Child | None = None
        self._by_child: set[int] = set()
        """Replies that the child holds, by their offset."""
        self._files = count()

    def expect(self, rows: int) -> None:
        """Start the child, if so many rows are worth it."""
        if self._child is None and rows >= ROWS_WORTH_A_PROCESS:
            self._child = _Child(self._job)

    async def read(self, body: Body) -> Seen:
        """What the scan needs of a reply: the child says it, or this process where the child has enough to do.

        Raises:
            Unreadable: it is not the JSON expected.
            StorageError: the file cannot be read, or the child was killed.
        """
        if self._child is None or self._child.is_busy:
            return self._here.read(body)
        seen: Seen = await self._child.ask("read", body)
        self._by_child.add(body.offset)
        return seen

    def keep(self, reply: Spooled) -> None:
        """Have the rows of a reply in the next part."""
        if self._child is not None and reply.offset in self._by_child:
            self._by_child.discard(reply.offset)
            self._child.keep(reply)
        else:
            self._here.keep(reply)

    def drop(self, body: Body) -> None:
        """Forget a reply that is not to be kept."""
        if self._child is not None and body.offset in self._by_child:
            self._by_child.discard(body.offset)
            self._child.tell("drop", body)
        else:
            self._here.drop(body)

    def cut(self) -> list[Future[Part]]:
        """What has been kept since the last time, by either: together a part, with all replies of that time.

        Raises:
            StorageError: the disk refused.
        """
        parts: list[Future[Part]] = []
        if self._child is not None and self._child.kept:
            parts.append(self._child.cut(next(self._files)))
        if self._here.kept or not parts:
            part: Future[Part] = Future()
            part.set_result(self._here.cut(next(self._files)))
            parts.append(part)
        return parts

    async def close(self) -> None:
        """Let the child go."""
        if self._child is not None:
            await self._child.close()


class _Child:
    """A `Refiner` in a process, and in a process group, of its own, so that Ctrl-C is the parent's to handle.

    It ends when its stdin does: also when this process is killed. It answers in the order in which it was asked.

    Args:
        job: what `Refiner` takes.

    Attributes:
        kept: replies that it was told to keep since it cut a part.
    """

    def __init__(self, job: tuple[str, str, Path]) -> None:
        self.kept = 0
        command = [sys.executable, "-m", "pipelines.pull.decode.process"]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            env={**os.environ, **_ENVIRONMENT},
        )
        self._waiting: deque[Future[Any]] = deque()
        self._listening = asyncio.create_task(self._listen())
        self._up = self.ask("start", *job)

    @property
    def is_busy(self) -> bool:
        """Whether it is not up yet, or has so much to read already that it need not wait for more."""
        return not self._up.done() or len(self._waiting) >= _ENOUGH

    def ask(self, verb: str, *arguments: object) -> "Future[Any]":
        """Have one of the refiner's verbs done; what it returns or raises."""
        answer: Future[Any] = Future()
        self._waiting.append(answer)
        self.tell(verb, *arguments)
        return answer

    def tell(self, verb: str, *arguments: object) -> None:
        """Have one of the verbs done that return nothing.

        Raises:
            StorageError: the child was killed.
        """
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for
        try:
            pickle.dump((verb, *arguments), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise _killed() from None

    def keep(self, reply: Spooled) -> None:
        """As the refiner's."""
        self.kept += 1
        self.tell("keep", reply)

    def cut(self, number: int) -> "Future[Part]":
        """As the refiner's."""
        self.kept = 0
        return self.ask("cut", number)

    async def _listen(self) -> None:
        """Hand answers to those who wait for them."""
        stream = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), self._process.stdout
        )
        try:
            while True:
                size = int.from_bytes(await stream.readexactly(PREFIX), "big")
                answer = pickle.loads(await stream.readexactly(size))  # noqa: S301 - both ends are this program
                waiting = self._waiting.popleft()
                if waiting.cancelled():
                    continue
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)
        except asyncio.IncompleteReadError:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(_killed())
                    waiting.exception()  # nobody may wait for it any more, of which asyncio would complain
        finally:
            pipe.close()

    async def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        await asyncio.wait([self._listening])
        self._process.wait()
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for
        with suppress(BrokenPipeError):  # what it was to be told still
            self._process.stdin.close()


def _killed() -> StorageError:
    return StorageError("The process that decodes rows was killed.", "See that memory suffices.")
