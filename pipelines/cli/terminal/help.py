"""Commands and groups with plain help and plain messages for mistakes in arguments.

What does not belong here: how help looks (`help_page`), which commands there are (`app`), and their texts.
"""

import sys
from collections.abc import Iterator
from typing import Any

from typer import Abort, BadParameter
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.exceptions import TyperException

from pipelines.cli.terminal.consoles import complain, tell
from pipelines.cli.terminal.help_page import Rows, bounds_of, show_command, show_group
from pipelines.cli.terminal.streams import discard
from pipelines.errors import StorageError
from pipelines.process.exit_codes import DONE, STOPPED, USAGE
from pipelines.text.exact import is_number

_NUMBERS = {"int": "a whole number", "float": "a number"}
"""Words for types of Python."""

_FLAT = 200
"""Width of a command's short text, so that typer does not shorten it."""


class Command(TyperCommand):
    """A command whose help does not show Python types."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                parameter.metavar = parameter.metavar or parameter.name.upper()

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer names it
        """Print its help."""
        show_command(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as typer does; an error about a value is a plain sentence.

        Raises:
            BadParameter: an option cannot have this value.
        """
        given = list(args)
        try:
            left = super().parse_args(ctx, args)
            self._refuse_odd_numbers(ctx, given)
        except BadParameter as error:
            error.message = _in_plain_words(error)
            raise
        except TyperException as error:
            vars(error)["ctx"] = vars(error).get("ctx") or ctx  # the error names the help of this command
            raise
        return left

    def _refuse_odd_numbers(self, ctx: Any, given: list[str]) -> None:
        """Refuse values such as 1_000 or +5, which the library accepts as numbers.

        Raises:
            BadParameter: a number is not written in digits alone.
        """
        texts, _, _ = self.make_parser(ctx).parse_args(given)
        parameters: list[Any] = self.params
        for parameter in parameters:
            kind, text = parameter.bare_type(), texts.get(parameter.name)
            if kind in _NUMBERS and isinstance(text, str) and not is_number(text, whole=kind == "int"):
                raise BadParameter(_must_be(parameter, ", written in digits alone"), ctx=ctx, param=parameter)


class Group(TyperGroup):
    """A group of commands, with the same help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer names it
        """Print its help."""
        show_group(self, ctx, self.panels())

    def panels(self) -> Iterator[tuple[str, Rows]]:
        """Yield its commands in groups: a title, and the commands with a short text each."""
        rows = [(name, command.get_short_help_str(_FLAT)) for name, command in self.commands.items()]
        yield "Commands", rows

    def main(self, *args: Any, **named: Any) -> Any:
        """Run as typer does; a mistake is shown like other errors."""
        try:
            code = super().main(*args, **{**named, "standalone_mode": False})
        except TyperException as error:
            code = _show_mistake(error)
        except BrokenPipeError:  # the reader of a page of help has gone
            discard(sys.stdout.fileno())
            code = DONE
        except StorageError as error:  # the page of help cannot be written
            complain(error.message, error.remedy)
            code = error.exit_code
        except Abort:
            tell("Stopped. Nothing was done.")
            code = STOPPED
        sys.exit(code if isinstance(code, int) else 0)


def _show_mistake(error: Any) -> int:
    """Show a mistake in the arguments, unless help was requested; return the exit code."""
    if type(error).__name__ != "NoArgsIsHelpError":
        context = getattr(error, "ctx", None)
        page = _page(error, context) if context else "trackly-sync --help"
        complain(error.format_message().strip().replace("\n\t", " "), page)
    return int(getattr(error, "exit_code", USAGE))


def _page(error: Any, context: Any) -> str:
    """Return the command whose help to name: if this command lacks an option, the one other command that has it."""
    own = f"{context.command_path} --help"
    if type(error).__name__ != "NoSuchOption" or error.possibilities:
        return own
    root = context.find_root()
    having = [
        name
        for name, command in root.command.commands.items()
        if any(error.option_name in parameter.opts for parameter in command.params)
    ]
    if len(having) != 1:
        return own
    return f"It is an option of {having[0]}: {root.command_path} {having[0]} --help"


def _in_plain_words(error: BadParameter) -> str:
    """Describe what is wrong with a value, without the text of the library that checks values."""
    if "Input should be" not in error.message:
        return error.message.removeprefix("Value error, ")
    return _must_be(error.param)


def _must_be(parameter: Any, more: str = "") -> str:
    takes = _NUMBERS.get(parameter.bare_type()) if parameter else None
    return f"it must be {', '.join(filter(None, (takes or 'another', bounds_of(parameter))))}{more}"
