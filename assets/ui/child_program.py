"""A module of Python as a program that ends when its parent does, also when that is killed.

`python -m assets.ui.child_program FD MODULE ARGUMENT...`: FD is the reading end of a pipe whose
other end the parent holds and never writes to. What must not go in: what the programs are (`serve`).
"""

import os
import runpy
import signal
import sys
import threading


def end_with(descriptor: int) -> None:
    """End this process as SIGTERM does, once the other end of a pipe is closed."""

    def watch() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
