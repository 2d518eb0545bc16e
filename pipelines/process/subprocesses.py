"""Runs our modules as separate processes, from any working folder.

The working folder belongs to the user: a `pandas.py` or a folder `assets` in it must not hide ours, in the process or
its children. What does not belong here: the programs' work.
"""

import os
import sys
from collections.abc import Mapping

_SAFE = {"PYTHONSAFEPATH": "1"}
"""The same as Python's `-P`, but inherited, since Dagster starts processes too."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this installation; use it with `safe_environment`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def safe_environment(given: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """Return an environment in which no Python process imports from the working folder.

    Args:
        given: the environment to begin with; by default this process's.
        more: variables that are added.
    """
    return {**(os.environ if given is None else given), **_SAFE, **more}
