"""Reads the names and texts of the environment and .env, and the settings among them.

What does not belong here: the settings themselves (`declared`), names that only resemble one (`misspelt`), and how
broken lines are treated (`broken_lines`).
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.settings.declared import PREFIX, Settings

if TYPE_CHECKING:
    from dotenv.parser import Binding

DOTENV = Path(".env")
"""In the folder where a command runs."""

_SECRET = frozenset(
    {"api_key", "hash_phones", "ledger_url", "dagster_url", "alert_webhook", "ui_password", "webhook_secret"}
)

_OURS_WITHIN = re.compile(rf"^\s*(?:export\s+)?{PREFIX}\w+\s*[=:].*", re.IGNORECASE | re.MULTILINE)


class BrokenLine(NamedTuple):
    """A line of .env without effect.

    Args:
        number: of the line, from 1.
        text: the line; it may hold a secret.
        why: the problem, to follow "line 3 of .env".
    """

    number: int
    text: str
    why: str


def given_settings(settings: Settings) -> list[str]:
    """Return the given settings as NAME=value; only the name for those that may hold a secret."""
    return [
        f"{PREFIX}{name.upper()}" + ("" if name in _SECRET else f"={getattr(settings, name)}")
        for name in Settings.model_fields
        if name in settings.model_fields_set
    ]


def given_texts(env_file: Path | None = DOTENV) -> dict[str, str]:
    """Return every name of the environment and a file, with its text; the environment wins.

    Names in lower case count as well. If two names differ only in case, the one in capitals wins.

    Args:
        env_file: None for the environment alone.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    environment = dict(sorted(os.environ.items(), key=lambda item: item[0].isupper()))
    own = {name.upper() for name in environment}
    file = {name: text or "" for name, text in _from_file(env_file).items() if name.upper() not in own}
    return {**file, **environment}


def set_outside(env_file: Path | None = DOTENV) -> dict[str, str]:
    """Return the settings of the environment and a file, as texts by field names; the environment wins.

    An empty text counts as not set: compose files and shells pass it on if a variable is not set. Pulls and pushes
    refuse it if the effect of the default cannot be undone (`misspelt`).

    Args:
        env_file: None for the environment alone.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    return {
        name.upper().removeprefix(PREFIX).lower(): text
        for name, text in given_texts(env_file).items()
        if name.upper().startswith(PREFIX) and text.strip()
    }


def broken_lines(env_file: Path | None = DOTENV) -> Iterator[BrokenLine]:
    """Yield lines of a file that are not NAME=value, and settings inside the quotes of another value.

    Args:
        env_file: None for no file.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    for binding in _bindings(env_file):
        text = binding.original.string
        number = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        if binding.error:
            yield BrokenLine(number, text.strip(), "is not NAME=value")
        elif within := _OURS_WITHIN.search((binding.value or "").partition("\n")[2]):
            yield BrokenLine(number, within[0].strip(), "opens a quote that takes in the lines after it")


def _from_file(env_file: Path | None) -> Mapping[str, str | None]:
    """Return the names and texts of a file, names in capitals last."""
    given = [(one.key, one.value) for one in _bindings(env_file) if one.key is not None and not one.error]
    if not given:
        return {}
    from dotenv.main import resolve_variables  # noqa: PLC0415 - where there is no such file, it is not needed

    found = resolve_variables(given, override=True)
    return dict(sorted(found.items(), key=lambda item: item[0].isupper()))


def _bindings(env_file: Path | None) -> "tuple[Binding, ...]":
    if env_file is None or not env_file.is_file():
        return ()
    return _parsed(env_file.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)  # a command asks several times: for settings, for names like them, for broken lines
def _parsed(text: str) -> "tuple[Binding, ...]":
    from dotenv.parser import parse_stream  # noqa: PLC0415 - as above

    return tuple(parse_stream(StringIO(text)))
