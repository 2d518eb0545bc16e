"""Modules of ours as processes of their own, wherever they are started from.

The working folder is the user's: a `pandas.py` or a folder `assets` in it must not take the place of ours, in the
process or in those that it starts. What does not belong here: what the programs do.
"""

import os
import sys
from collections.abc import Mapping

_SAFE = {"PYTHONSAFEPATH": "1"}
"""For Python as `-P`, and inherited: Dagster starts processes too."""


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this installation; for `safe_environment`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment(given: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """An environment in which no process of Python imports from the working folder.

    Args:
        given: the environment to begin with; by default this process's.
        more: variables that are added.
    """
    return {**(os.environ if given is None else given), **_SAFE, **more}
