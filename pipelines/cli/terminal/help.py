"""How commands show themselves: help with plain names for what options take, and mistakes in plain words.

What does not belong here: what the commands are (`app`), and the texts, which are theirs.
"""

from typing import Any

from typer import BadParameter
from typer.core import TyperArgument, TyperCommand, TyperGroup

_PLAIN = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "str": "TEXT"}
"""What is shown for a type of Python's."""


class Command(TyperCommand):
    """A command whose help has no types of Python's."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As typer does."""
        plain(self.get_params(ctx))
        super().format_help(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; what is wrong with a value is told in plain words.

        Raises:
            BadParameter: an option cannot have this value.
        """
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = _in_plain_words(error.message)
            raise


class Group(TyperGroup):
    """A group of commands, with the same help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As typer does."""
        plain(self.get_params(ctx))
        super().format_help(ctx, formatter)


def plain(parameters: list[Any]) -> None:
    """Have parameters show in plain words what they take: a flag nothing, an argument its name, which is enough."""
    for parameter in parameters:
        if isinstance(parameter, TyperArgument):
            parameter.display_type_rich = _nothing  # type: ignore[method-assign]  # nothing else leaves it out
        elif parameter.metavar is None:
            parameter.metavar = "" if parameter.is_flag else _plain_type(parameter)


def _in_plain_words(message: str) -> str:
    """A message without the words of the library that checks values."""
    shown = message.removeprefix("Value error, ").partition(", unable to")[0]
    return shown.replace("Input should be", "it must be")


def _nothing(ctx: Any) -> None:  # noqa: ARG001 - typer names it
    return None


def _plain_type(option: Any) -> str:
    shown = str(option.bare_type()).removeprefix("list[").removesuffix("]")
    return _PLAIN.get(shown, shown.upper())
