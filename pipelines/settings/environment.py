"""What the environment and .env hold: the settings among it, and names that look like settings and are none.

What does not belong here: the settings themselves (`declared`).
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.settings.declared import PREFIX, Settings

DOTENV = Path(".env")
"""In the folder where a command runs."""

NOT_UNDONE = frozenset(f"{PREFIX}{name}" for name in ("HASH_PHONES", "DROP_CUSTOM_FIELDS", "LEDGER_URL"))
"""Settings without which a run leaves something that cannot be taken back."""

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
    return {name: _meant(name.removeprefix(PREFIX), known) for name in unknown}


def refuse_misspelt() -> None:
    """See that no name looks like a setting that is needed before personal data is stored, or rows are sent.

    Raises:
        SettingsError: one does. Phones that were stored stay stored, and a push with another ledger sends again.
    """
    with suppress(OSError, UnicodeDecodeError):  # of .env, which `load_settings` reports
        for name, meant in unknown_settings().items():
            if meant in NOT_UNDONE:
                raise SettingsError(
                    f"{name} is no setting and has no effect; what {meant} would do cannot be done afterwards.",
                    f"Set {meant} if you meant that, and take {name} out. Nothing was read or sent.",
                )


def _meant(name: str, known: Sequence[str]) -> str:
    """The setting that a name may stand for, whatever the order of its words; "" where there is none."""
    by_words = {_sorted_words(one): one for one in known}
    found = [
        *get_close_matches(name, known, 1),
        *(by_words[close] for close in get_close_matches(_sorted_words(name), by_words, 1)),
    ]
    return f"{PREFIX}{found[0]}" if found else ""


def _sorted_words(name: str) -> str:
    return "_".join(sorted(name.split("_")))


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
