"""What the environment and .env hold, and the settings among it.

What does not belong here: the settings themselves (`declared`), names that only resemble one (`misspelt`), and what
becomes of broken lines (`broken_lines`).
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
    """A line of .env that sets nothing.

    Args:
        number: of the line, from 1.
        text: the line; it may hold a secret.
        why: what is wrong with it, to go after "line 3 of .env".
    """

    number: int
    text: str
    why: str


def given_settings(settings: Settings) -> list[str]:
    """What the environment and .env set, as NAME=value, and of what may hold a secret the name alone."""
    return [
        f"{PREFIX}{name.upper()}" + ("" if name in _SECRET else f"={getattr(settings, name)}")
        for name in Settings.model_fields
        if name in settings.model_fields_set
    ]


def given_texts(env_file: Path | None = DOTENV) -> dict[str, str]:
    """Every name that the environment and a file give, with its text; the environment wins.

    Names in small letters count as well. Of two that differ in that only, the one in capitals wins.

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
    """The settings that the environment and a file set, as texts by the names of fields; the environment wins.

    A blank text sets nothing: compose files and shells pass one on where a variable is not set. Pulls and pushes
    refuse it where the default cannot be undone (`misspelt`).

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
    """Lines of a file that are not NAME=value, and settings that stand between the quotes of another value.

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
    """The names and texts of a file, those in capitals last."""
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
