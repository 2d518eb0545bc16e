"""What the environment and .env hold: the settings among it, and names that look like settings and are none.

What does not belong here: the settings themselves (`declared`).
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pipelines.settings.declared import PREFIX, Settings

DOTENV = Path(".env")
"""In the folder where a command runs."""

_SECRET = frozenset(
    {"api_key", "hash_phones", "ledger_url", "dagster_url", "alert_webhook", "ui_password", "webhook_secret"}
)


def given_settings(settings: Settings) -> list[str]:
    """What the environment and .env set, as NAME=value, and of what may hold a secret the name alone."""
    return [
        f"{PREFIX}{name.upper()}" + ("" if name in _SECRET else f"={getattr(settings, name)}")
        for name in Settings.model_fields
        if name in settings.model_fields_set
    ]


def unknown_settings() -> dict[str, str]:
    """Names in the environment and in .env that look like settings and are none, each with what it may have meant."""
    known = [name.upper() for name in Settings.model_fields]
    given = sorted({*os.environ, *_from_file()})
    unknown = [name for name in given if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known]
    close = {name: get_close_matches(name.removeprefix(PREFIX), known, 1) for name in unknown}
    return {name: f"{PREFIX}{found[0]}" if found else "" for name, found in close.items()}


def set_outside(env_file: Path | None = DOTENV) -> dict[str, str]:
    """The settings that the environment and a file set, as texts by the names of fields; the environment wins.

    A blank text sets nothing: compose files and shells pass one on where a variable is not set.

    Args:
        env_file: None for the environment alone.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    given = {**_from_file(env_file), **{name.upper(): text for name, text in os.environ.items()}}
    return {
        name.removeprefix(PREFIX).lower(): text
        for name, text in given.items()
        if name.startswith(PREFIX) and text and text.strip()
    }


def _from_file(env_file: Path | None = DOTENV) -> Mapping[str, str | None]:
    """The names and texts of a file, names in capitals."""
    if env_file is None or not env_file.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - where there is no such file, it is not needed

    return {name.upper(): text for name, text in dotenv_values(env_file, encoding="utf-8").items()}
