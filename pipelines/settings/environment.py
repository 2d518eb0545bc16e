"""What the environment and .env set: the settings among it, and names that look like settings and are none.

What does not belong here: the settings themselves (`declared`).
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic_settings.sources.providers.dotenv import read_env_file

from pipelines.settings import Settings

_SECRET = frozenset(
    {"api_key", "hash_phones", "ledger_url", "dagster_url", "alert_webhook", "ui_password", "webhook_secret"}
)


def given_settings(settings: Settings) -> list[str]:
    """What the environment and .env set, as NAME=value, and of what may hold a secret the name alone."""
    prefix = str(Settings.model_config["env_prefix"])
    return [
        f"{prefix}{name.upper()}" + ("" if name in _SECRET else f"={getattr(settings, name)}")
        for name in Settings.model_fields
        if name in settings.model_fields_set
    ]


def unknown_settings() -> dict[str, str]:
    """Names in the environment and in .env that look like settings and are none, each with what it may have meant."""
    prefix = str(Settings.model_config["env_prefix"])
    known = [name.upper() for name in Settings.model_fields]
    given = sorted({*os.environ, *(name.upper() for name in _from_file())})
    unknown = [name for name in given if name.startswith(prefix) and name.removeprefix(prefix) not in known]
    close = {name: get_close_matches(name.removeprefix(prefix), known, 1) for name in unknown}
    return {name: f"{prefix}{found[0]}" if found else "" for name, found in close.items()}


def _from_file() -> Mapping[str, str | None]:
    file = Path(".env")
    return read_env_file(file) if file.is_file() else {}
