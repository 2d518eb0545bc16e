"""Where replies are read and refined: in this process for small accounts, in one of its own for large ones.

A process costs half a second to start and memory for its imports, and gives the second core to decoding; below some
size it is not worth that. It is a plain child that is sent messages on stdin and answers on stdout, in their order;
not multiprocessing, which would import the caller's main module again. `python -m pipelines.pull.workers` is that
child. What does not belong here: the declared checks, which the caller runs beside the scan (`check`).
"""

import asyncio
import gc
import os
import pickle
import subprocess
import sys
from asyncio import Future
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.errors import StorageError
from pipelines.pull.identity import Seen
from pipelines.pull.refine import Part, Refiner
from pipelines.pull.spool import Body, Spooled

ROWS_WORTH_A_PROCESS = 100_000

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy's threads for linear algebra wait busily for work that never comes here."""

_PREFIX = 4
"""Bytes before an answer that say how long it is."""


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
        self._parts = 0

    def expect(self, rows: int) -> None:
        """Start the child, if so many rows are worth it."""
        if self._child is None and rows >= ROWS_WORTH_A_PROCESS:
            self._child = _Child(self._job)

    async def read(self, body: Body) -> Seen:
        """What the scan needs of a reply.

        What is read here is read at once, and so it is kept before anything that the child reads: no part holds a
        reply that came before one in an earlier part, on which `output` builds.

        Raises:
            Unreadable: it is not the JSON expected.
            StorageError: the file cannot be read, or the child was killed.
        """
        if self._child is None or not self._child.up:
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

    def cut(self) -> list[Awaitable[Part]]:
        """Parts of what has been kept since the last time: one, or two where the child has come up since.

        Raises:
            StorageError: the disk refused.
        """
        parts: list[Awaitable[Part]] = []
        if self._here.kept or self._parts == 0:
            part: Future[Part] = Future()
            part.set_result(self._here.cut(self._parts))
            parts.append(part)
        if self._child is not None and self._child.kept:
            parts.append(self._child.cut(self._parts + len(parts)))
        self._parts += len(parts)
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
        up: whether it has said that it is there.
        kept: replies that it was told to keep since it cut a part.
    """

    def __init__(self, job: tuple[str, str, Path]) -> None:
        self.up = False
        self.kept = 0
        command = [sys.executable, "-m", "pipelines.pull.workers"]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            env={**os.environ, **_ENVIRONMENT},
        )
        self._waiting: deque[Future[Any]] = deque()
        self._listening = asyncio.create_task(self._listen())
        self.ask("start", *job).add_done_callback(self._note_up)

    def _note_up(self, answer: "Future[Any]") -> None:
        self.up = not answer.cancelled() and answer.exception() is None

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
                size = int.from_bytes(await stream.readexactly(_PREFIX), "big")
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


def _serve(messages: BinaryIO, answers: BinaryIO) -> None:
    """Do what is asked, until there is nothing more."""
    gc.freeze()  # what is imported stays; looking through it again and again took a sixth of the time
    gc.disable()
    refiner: Refiner | None = None
    while True:
        try:
            verb, *arguments = pickle.load(messages)  # noqa: S301 - both ends are this program
        except EOFError:
            return
        answer: object = None
        try:
            if refiner is None:
                refiner = Refiner(*arguments)
            else:
                answer = getattr(refiner, verb)(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again by the parent
            answer = error
        if verb in ("start", "read", "cut"):
            pickled = pickle.dumps(answer)
            answers.write(len(pickled).to_bytes(_PREFIX, "big") + pickled)
            answers.flush()
        if verb == "cut":
            gc.collect()


class _NoPandas(MetaPathFinder):
    """Arrow imports pandas at the first list that it is given, if it can.

    Nobody here makes frames, and the import takes longer than decoding 100,000 rows.
    """

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - its signature
        """Fail for pandas, and leave all else to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


if __name__ == "__main__":
    sys.meta_path.insert(0, _NoPandas())
    _serve(sys.stdin.buffer, sys.stdout.buffer)
