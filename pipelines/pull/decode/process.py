"""The process that reads and refines replies: `python -m pipelines.pull.decode.process`; who starts it is in `pool`.

Messages are pickled tuples: the name of one of the refiner's verbs, and what it takes; the first one is "start", with
what makes the refiner. Where a verb returns or raises something, that is the answer. What does not belong here: all
that takes long to import, since the parent waits for it.
"""

import gc
import pickle
import sys
from importlib.abc import MetaPathFinder
from typing import BinaryIO

PREFIX = 4
"""Bytes before an answer that say how long it is."""

_ANSWERED = frozenset({"start", "read", "cut"})


class _NoPandas(MetaPathFinder):
    """Arrow imports pandas at the first list that it is given, if it can.

    Nobody here makes frames, and the import takes longer than decoding 100,000 rows.
    """

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - its signature
        """Fail for pandas, and leave all else to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def serve(messages: BinaryIO, answers: BinaryIO) -> None:
    """Do what is asked, until there is nothing more."""
    from pipelines.pull.decode.decoder import Refiner  # noqa: PLC0415 - it imports Arrow, and the parent has what it needs of us

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
        if verb in _ANSWERED:
            pickled = pickle.dumps(answer)
            answers.write(len(pickled).to_bytes(PREFIX, "big") + pickled)
            answers.flush()
        if verb == "cut":
            gc.collect()


if __name__ == "__main__":
    sys.meta_path.insert(0, _NoPandas())
    serve(sys.stdin.buffer, sys.stdout.buffer)
