"""Loads the settings, and raises an error if one is wrong.

Settings come from environment variables or a `.env` file in the working directory; the environment wins. What does
not belong here: the settings (`declared`), and the rules for their texts (`checks`).
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import SettingsError
from pipelines.settings.broken_lines import refuse_broken_lines
from pipelines.settings.declared import Settings
from pipelines.settings.environment import DOTENV, set_outside
from pipelines.settings.problems import problem


def load_settings(*, _env_file: Path | None = DOTENV, **overrides: Any) -> Settings:
    """Read and check the settings.

    Args:
        _env_file: file with further settings; None for no file.
        overrides: fields set by the caller (command-line options, tests); they win over the environment.

    Raises:
        SettingsError: a setting is malformed, or .env cannot be read, or a line of it; the message names each one and
            never shows a key.
    """
    try:
        refuse_broken_lines(_env_file)
        return Settings.model_validate({**set_outside(_env_file), **overrides})
    except ValidationError as error:
        problems = "; ".join(
            problem(item) for item in error.errors(include_input=False, include_context=False)
        )
        raise SettingsError(f"{problems}.", "Correct it in the environment or in .env.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"The file .env cannot be read: {why}.", "Fix it, or move it away and set the environment."
        ) from None
