"""Where refining runs: on a thread beside the scan for small accounts, in a process of its own for large ones.

A process costs half a second to start and memory for its imports, and gives the second core to decoding; below some
size it is not worth that. It is a plain child that is sent jobs on stdin and answers on stdout, not
multiprocessing, which would import the caller's main module again. `python -m pipelines.pull.workers` is that
child. What does not belong here: the declared checks, which the caller runs beside the scan (`check`).
"""

import gc
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import StorageError
from pipelines.pull.refine import Part, refine
from pipelines.pull.spool import Spooled

ROWS_WORTH_A_PROCESS = 100_000

Refine = Callable[[str, str, int, Sequence[Spooled], Path], Part]
Submit = Callable[[str, str, int, Sequence[Spooled], Path], Future[Part]]


@contextmanager
def refining(rows: int | None) -> Iterator[Submit]:
    """A function that has `refine` called beside the caller, one job after the other.

    Args:
        rows: how many rows are to be expected, if known.
    """
    with ExitStack() as stack:
        executor = stack.enter_context(_one_thread())
        work: Refine = refine
        if rows is not None and rows >= ROWS_WORTH_A_PROCESS:
            work = partial(_ask, stack.enter_context(_child()))

        def submit(
            name: str, snapshot: str, number: int, replies: Sequence[Spooled], folder: Path
        ) -> Future[Part]:
            return executor.submit(work, name, snapshot, number, replies, folder)

        yield submit


@contextmanager
def _one_thread() -> Iterator[Executor]:
    executor = ThreadPoolExecutor(1, thread_name_prefix="refine")
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _child() -> Iterator["subprocess.Popen[bytes]"]:
    """A child in a process group of its own, so that Ctrl-C is the parent's to handle.

    It ends when its stdin does: also when this process is killed.
    """
    command = [sys.executable, "-m", "pipelines.pull.workers"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _ask(
    child: "subprocess.Popen[bytes]",
    name: str,
    snapshot: str,
    number: int,
    replies: Sequence[Spooled],
    folder: Path,
) -> Part:
    """Have the child do a job.

    Raises:
        StorageError: the disk refused, or the child was killed.
    """
    assert child.stdin is not None  # noqa: S101 - a pipe, as asked for
    assert child.stdout is not None  # noqa: S101 - a pipe, as asked for
    try:
        pickle.dump((name, snapshot, number, replies, folder), child.stdin)
        child.stdin.flush()
        answer = pickle.load(child.stdout)  # noqa: S301 - both ends are this program
    except (BrokenPipeError, EOFError):
        raise StorageError("The process that decodes rows was killed.", "See that memory suffices.") from None
    if isinstance(answer, Part):
        return answer
    raise answer


def _serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    gc.freeze()  # what is imported stays; looking through it again and again took a sixth of the time
    gc.disable()
    while True:
        gc.collect()
        try:
            job = pickle.load(jobs)  # noqa: S301 - both ends are this program
        except EOFError:
            return
        try:
            answer: Part | Exception = refine(*job)
        except Exception as error:  # noqa: BLE001 - raised again by the parent
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


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
