"""trackly-sync: the command line.

One module per command or two; `app` puts them together. Modules here import the engine inside their functions,
so that `--help` and `status` answer at once. What does not belong here: anything that another program would want
to call.
"""

from pipelines.cli.app import main

__all__ = ["main"]
