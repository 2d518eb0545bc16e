"""Lines of .env that set nothing, since they are not NAME=value.

One that names a setting, or resembles one, was meant to hold: it is refused, as a malformed setting is. Any other may
be another program's, and is a warning. What does not belong here: how the file is read (`environment`).
"""

import re
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.settings.environment import DOTENV, BrokenLine, broken_lines
from pipelines.settings.misspelt import is_like_setting

_NAME = re.compile(r"[^\W\d][\w.-]*")


def refuse_broken_lines(env_file: Path | None = DOTENV) -> None:
    """See that no broken line was meant as a setting.

    Args:
        env_file: None for no file.

    Raises:
        SettingsError: one was; the message has its number and the setting, and nothing else of it.
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    for line in broken_lines(env_file):
        if name := _setting(line):
            raise SettingsError(
                f"Line {line.number} of .env {line.why}, so that {name} has no effect.",
                "Write it as NAME=value, with quotes in pairs or none.",
            )


def other_broken_lines() -> list[str]:
    """A warning for each broken line that names no setting.

    Raises:
        OSError, UnicodeDecodeError: .env cannot be read.
    """
    return [
        f"Line {line.number} of .env {line.why} and has no effect."
        for line in broken_lines()
        if not _setting(line)
    ]


def _setting(line: BrokenLine) -> str:
    """The first name on a line that is a setting's or resembles one; "" for none."""
    return next((name for name in _NAME.findall(line.text) if is_like_setting(name)), "")
