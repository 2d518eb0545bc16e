"""What `make test` installs beside the tests that run already: whether a tool is there, once that has ended."""

import os
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
_MARK = ROOT / ".venv" / ".installing"
"""It holds the id of the process that installs, and goes when that is done."""


def is_installed(path: Path) -> bool:
    """Whether a tool is there; it waits as long as something is being installed."""
    while _is_under_way():
        time.sleep(0.5)
    return path.exists()


def _is_under_way() -> bool:
    try:
        os.kill(int(_MARK.read_text()), 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except ValueError:  # it is being written
        return True
    return True
