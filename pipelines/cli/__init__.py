"""trackly-sync: the command line.

arguments ─▶ app ─▶ commands ─▶ the engine ─▶ terminal (people, or JSON for programs)

`shared` holds code that several commands need; `reference` and `error_messages` write pages of the documentation.
Modules here import the engine inside their functions, so that `--help` and `status` start fast. What does not belong
here: anything that another program would want to call.
"""

import gc
import os
import signal
import sys

from pipelines.cli.terminal.streams import remarks, results
from pipelines.process.exit_codes import STOPPED

_OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Imports after the start make many objects and no garbage.

By default, Python would look for garbage after every 700 objects.
"""


def main() -> None:
    """Entry point of `trackly-sync`; Ctrl-C before and after the work of a command ends it without a traceback."""
    signal.signal(signal.SIGINT, lambda *_: _stop_before_work())
    gc.disable()  # imported objects stay: a search for garbage among them takes a tenth of a start
    sys.stdout, sys.stderr = sys.stdout and results(sys.stdout), sys.stderr and remarks(sys.stderr)
    from pipelines.cli.app import app  # noqa: PLC0415 - it takes a while, and Ctrl-C may come then
    from pipelines.cli.shared.exits import end_with  # noqa: PLC0415 - it is imported by now

    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    gc.enable()
    try:
        app(prog_name="trackly-sync")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        end_with(code)
        gc.freeze()  # these objects live until the process ends
        raise


def _stop_before_work() -> None:
    os.write(sys.stderr.fileno(), b"Stopped. Nothing was done.\n")
    os._exit(STOPPED)
