"""The reference pages of the documentation, derived from the code: commands, settings, exit codes and errors.

`python -m pipelines.cli.reference` writes docs/reference.md, and the messages of docs/troubleshooting.md; tests
compare both with the code. What does not belong here: tables (`schemas.dictionary`).
"""

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from pipelines import errors
from pipelines.cli import error_messages
from pipelines.cli.app import app
from pipelines.cli.terminal.help_page import default_of
from pipelines.process.exit_codes import MEANINGS
from pipelines.settings import Settings
from pipelines.settings.declared import PREFIX
from pipelines.settings.misspelt import NOT_UNDONE, PRIVATE

DOCUMENT = Path("docs/reference.md")


def _named(names: Sequence[str]) -> str:
    *first, last = (f"`{PREFIX}{name}`" for name in names)
    return f"{', '.join(first)} or {last}"


_WITHOUT_EFFECT = f"""\
A setting that is given without a value, a switch too, is as if it were not given: its default holds. A name that only
resembles a setting has no effect, and every command warns of it. Where the effect cannot be had afterwards, pulls and
pushes refuse to run, with exit code 2: for a misspelt name of {_named(NOT_UNDONE)} (such as `TRACKLY_HASH`,
`TRACKY_HASH_PHONES`, `HASH_PHONES`), and where {_named(PRIVATE)} is given without a value, as by a secret that could
not be read."""

_SAID = re.compile(r"\bdefault:? (.+?)(?:[.;](?: |$)|$)", re.IGNORECASE)


def reference() -> str:
    """Return the complete document as Markdown."""
    parts = [
        "# Reference",
        "Generated from the code by `python -m pipelines.cli.reference`; do not edit by hand.",
        "Tables are in the [data dictionary](data-dictionary.md).",
        "## Commands",
        *_commands(),
        "## Settings",
        "Environment variables, or a `.env` file in the working directory; the environment wins.",
        _WITHOUT_EFFECT,
        _settings(),
        "## Exit codes",
        _exit_codes(),
        "## Errors",
        "Every error is one line with what went wrong and one with what to do, on standard error.",
        "With `--json` too: standard output is then empty, and the exit code says what kind of error it is.",
        _errors(),
    ]
    return "\n\n".join(parts) + "\n"


def _commands() -> list[str]:
    group: Any = typer.main.get_command(app)
    found = []
    for name, command in _leaves(group):
        text = inspect.cleandoc(command.help or "").replace("Examples:\n", "Examples:\n\n")
        rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        table = (
            "\n".join(["| argument | default | meaning |", "|---|---|---|", *rows])
            if rows
            else "No arguments."
        )
        found.append(f"### `trackly-sync {name}`\n\n{text}\n\n{table}")
    return found


def _leaves(group: Any, above: str = "") -> list[tuple[str, Any]]:
    """Yield the commands without subcommands, each with its full name."""
    found = []
    for name, command in sorted(group.commands.items()):
        within = hasattr(command, "commands")
        found += _leaves(command, f"{above}{name} ") if within else [(f"{above}{name}", command)]
    return found


def _parameter(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    names = parameter.opts if is_option else [(parameter.metavar or parameter.name).upper()]
    meaning = (parameter.help or "").replace("|", "\\|")
    return f"| {', '.join(f'`{name}`' for name in names)} | {_default(parameter)} | {meaning} |"


def _default(parameter: Any) -> str:
    """Return the default of an argument."""
    value = default_of(parameter)
    if value:
        return f"`{value}`"
    if parameter.required:
        return "required"
    return "off" if getattr(parameter, "is_flag", False) else _none(parameter.help or "")


def _none(meaning: str) -> str:
    """Return the default that the description names, if there is no fixed default."""
    found = _SAID.search(meaning)
    return found[1].replace("|", "\\|") if found else "none"


def _settings() -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        is_none = field.default in (None, PydanticUndefined)
        default = _none(field.description or "") if is_none else f"`{field.default}`"
        rows.append(f"| `TRACKLY_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def _exit_codes() -> str:
    return "\n".join(
        ["| code | meaning |", "|---|---|", *(f"| {code} | {text} |" for code, text in MEANINGS.items())]
    )


def _errors() -> str:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TracklySyncError) and kind is not errors.TracklySyncError
    ]
    rows = [
        f"| `{kind.__name__}` | {kind.exit_code} | {inspect.cleandoc(kind.__doc__ or '').splitlines()[0]} |"
        for kind in kinds
    ]
    return "\n".join(["| error | exit code | when |", "|---|---|---|", *rows])


if __name__ == "__main__":
    DOCUMENT.write_text(reference(), encoding="utf-8")
    explained = error_messages.DOCUMENT
    explained.write_text(error_messages.rewritten(explained.read_text(encoding="utf-8")), encoding="utf-8")
