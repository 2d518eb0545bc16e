"""Reading the settings, and the message where one is wrong.

They come from environment variables or a `.env` file in the working directory; the environment wins. What does not
belong here: the settings (`declared`), and the rules for their texts (`checks`).
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import SettingsError
from pipelines.settings.declared import Settings
from pipelines.settings.environment import DOTENV, set_outside

_DATE = "must be a date, such as 2020-01-31"
_PLAIN = {
    "bool_parsing": "must be on or off (or yes, no, true, false)",
    "bool_type": "must be on or off (or yes, no, true, false)",
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "date_parsing": _DATE,
    "int_parsing": "must be a valid integer",
    "int_from_float": "must be a valid integer",
    "int_parsing_size": "must be smaller",
    "float_parsing": "must be a valid number",
    "finite_number": "must be a valid number",
}
"""What stands in place of pydantic's text, by its type of error."""

_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error")
"""Types whose text is plain but for their beginning."""

_OWN = ("value_error", "plain_http")
"""Types of our own checks."""


def load_settings(*, _env_file: Path | None = DOTENV, **overrides: Any) -> Settings:
    """Read and check the settings.

    Args:
        _env_file: where settings stand beside the environment; None for nowhere.
        overrides: fields set by the caller (command-line options, tests); they win over the environment.

    Raises:
        SettingsError: a setting is malformed, or .env cannot be read; the message names each one and never shows
            a key.
    """
    try:
        return Settings.model_validate({**set_outside(_env_file), **overrides})
    except ValidationError as error:
        problems = "; ".join(
            _describe(item) for item in error.errors(include_input=False, include_context=False)
        )
        raise SettingsError(f"{problems}.", "Correct it in the environment or in .env.") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"The file .env cannot be read: {why}.", "Fix it, or move it away and set the environment."
        ) from None


def _describe(item: Any) -> str:
    """What is wrong with a setting, in our own text: a library's is for its users."""
    kind, text = item["type"], str(item["msg"])
    if kind == "plain_http":  # of no single field
        return text
    name = f"TRACKLY_{str(item['loc'][0]).upper()}" if item["loc"] else "Settings"
    if kind in _OWN:
        reason = text.removeprefix("Value error, ")
    elif kind in _BOUNDS:
        reason = text.replace("Input should be", "must be")
    else:
        reason = _PLAIN.get(kind, "cannot be read")
    return f"{name} {reason[0].lower()}{reason[1:]}"
