"""Finds lines of .env that have no effect, since they are not NAME=value.

A line that names a setting, or a similar name, was meant as a setting: it is refused, like a malformed setting. Any
other line may belong to another program and causes a warning. What does not belong here: how the file is read
(`environment`).
"""

import re
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.settings.environment import DOTENV, BrokenLine, broken_lines
from pipelines.settings.misspelt import is_like_setting

_NAME = re.compile(r"[^\W\d][\w.-]*")


def refuse_broken_lines(env_file: Path | None = DOTENV) -> None:
    """Refuse broken lines that were meant as a setting.

    Args:
        env_file: None for no file.

    Raises:
        SettingsError: a line was; the message has its number and the setting, and nothing else of the line.
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    for line in broken_lines(env_file):
        if name := _setting(line):
            raise SettingsError(
                f"Line {line.number} of .env {line.why}, so that {name} has no effect.",
                "Write it as NAME=value, with quotes in pairs or none.",
            )


def other_broken_lines() -> list[str]:
    """Return a warning for each broken line that names no setting.

    Raises:
        OSError, UnicodeDecodeError: .env cannot be read.
    """
    return [
        f"Line {line.number} of .env {line.why} and has no effect."
        for line in broken_lines()
        if not _setting(line)
    ]


def _setting(line: BrokenLine) -> str:
    """Return the first name on a line that is a setting or resembles one; "" for none."""
    return next((name for name in _NAME.findall(line.text) if is_like_setting(name)), "")
