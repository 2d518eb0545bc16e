"""Runs a Python module as a program that ends when its parent ends, also if the parent is killed.

`python -m assets.ui.child_program FD MODULE ARGUMENT...`: FD is the reading end of a pipe whose other end the parent
holds and never writes to. What must not go in: which programs there are (`serve`).
"""

import os
import runpy
import signal
import sys
import threading


def end_with(descriptor: int) -> None:
    """End this process as SIGTERM does when the other end of a pipe is closed.

    Output is discarded from then on, since a program that is still starting reports the stop as a failure.
    """

    def watch() -> None:
        os.read(descriptor, 1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
