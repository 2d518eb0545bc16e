"""The pages of `--help`, for a terminal of any width.

Nothing is cut, and lines end between words. Names and texts are side by side on a wide terminal, and below each other
on a narrow one. What does not belong here: which commands there are (`app`), and their texts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from shutil import get_terminal_size
from typing import Any

from rich.text import Text
from typer.core import TyperArgument

from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.width import hanging

_PLAIN = {"int": "NUMBER", "float": "NUMBER", "Path": "PATH", "str": "TEXT"}
"""Words in the help for types of Python."""

_WIDEST = 100
_WIDE = 64
"""Width from which names and texts are side by side."""

_LONGEST_NAME = 24
_HELP = "Show this message and exit."

Rows = Sequence[tuple[str, str]]
"""Names, each with its meaning."""


def show_command(command: Any, ctx: Any) -> None:
    """Print the help of a command."""
    _show(_of_command(command, ctx))


def show_group(group: Any, ctx: Any, panels: Iterable[tuple[str, Rows]]) -> None:
    """Print the help of a group of commands.

    Args:
        group: the group.
        ctx: its context.
        panels: its commands in smaller groups, each with a title.
    """
    _show(_of_group(group, ctx, panels))


def _of_command(command: Any, ctx: Any) -> Iterator[Text]:
    yield from _above(command, ctx)
    parameters = [one for one in command.get_params(ctx) if not one.hidden]
    arguments = [one for one in parameters if isinstance(one, TyperArgument)]
    yield from _section("Arguments", [(one.metavar or one.name, _meaning(one)) for one in arguments])
    options = [one for one in parameters if not isinstance(one, TyperArgument)]
    yield from _section("Options", [(_names(one), _meaning(one)) for one in options])


def _of_group(group: Any, ctx: Any, panels: Iterable[tuple[str, Rows]]) -> Iterator[Text]:
    yield from _above(group, ctx)
    shown = list(panels)
    column = max(len(name) for _, rows in shown for name, _ in rows)
    for title, rows in shown:
        yield from _section(title, rows, column)
    options = [one for one in group.get_params(ctx) if not one.hidden]
    yield from _section("Options", [(_names(one), _meaning(one)) for one in options])
    yield from _paragraphs(group.epilog or "")


def _above(command: Any, ctx: Any) -> Iterator[Text]:
    """Yield the usage and the description of a command."""
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    yield from hanging(_marked(f"**Usage:** {usage}"), _width(), 2)
    yield Text()
    yield from _paragraphs(command.help or "")


def _paragraphs(text: str) -> Iterator[Text]:
    """Yield the texts of a docstring: paragraphs, and lists after a line that ends with a colon."""
    before = ""
    for paragraph in re.split(r"\n\n|\n(?=- )", text.strip("\n")):
        flowing = " ".join(paragraph.split())
        is_item = flowing.startswith("- ")
        if before and not is_item:
            yield Text()
        if is_item:
            yield from hanging(_marked(f"  {flowing}"), _width(), 4)
        elif flowing == "Examples:":
            yield Text(flowing, "bold")
        elif flowing:
            yield from hanging(_marked(flowing), _width(), 0)
        before = flowing
    if before:
        yield Text()


def _section(title: str, rows: Rows, longest: int = 0) -> Iterator[Text]:
    """Yield names and meanings: side by side if the terminal is wide enough, otherwise below each other.

    Args:
        title: the heading; without rows nothing is shown.
        rows: the names and their texts.
        longest: width of the longest name of all sections, to align them.
    """
    if not rows:
        return
    yield Text(title, "bold")
    side_by_side = _width() >= _WIDE
    longest = min(max(longest, *(len(name) for name, _ in rows)), _LONGEST_NAME)
    column = longest + 4 if side_by_side else 6
    for name, meaning in rows:
        shown = Text("  ").append(name, "bold cyan")
        texts = list(hanging(_marked(" " * column + meaning), _width(), column)) if meaning else []
        if side_by_side and texts and len(shown) + 2 <= column:
            shown.append_text(texts.pop(0)[len(shown) :])
        yield shown
        yield from texts
    yield Text()


def _marked(text: str) -> Text:
    """Return a text without the backticks and asterisks that mark commands and names in docstrings."""
    shown = Text()
    for plain, code, strong in re.findall(r"([^`*]+|\*(?!\*))|`([^`]*)`|\*\*([^*]+)\*\*", text):
        shown.append(plain).append(code, "bold cyan").append(strong, "bold")
    return shown


def _show(lines: Iterable[Text]) -> None:
    shown = list(lines)
    while shown and not shown[-1]:
        shown.pop()
    for line in shown:
        out.print(line, soft_wrap=True)


def _width() -> int:
    return min(get_terminal_size().columns, _WIDEST)


def _names(option: Any) -> str:
    """Return an option's names, the short one first, and the kind of its value."""
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    takes = "" if option.is_flag else option.metavar or _plain_type(option)
    return f"{names} {takes}".rstrip()


def _meaning(parameter: Any) -> str:
    """Return a parameter's meaning, bounds and default."""
    if parameter.name == "help":
        return _HELP
    more = [f"default: {shown}"] if (shown := default_of(parameter)) else []
    more += [bounds] if (bounds := bounds_of(parameter)) else []
    more += ["required"] if parameter.required else []
    return f"{parameter.help or ''} [{'; '.join(more)}]" if more else parameter.help or ""


def default_of(parameter: Any) -> str:
    """Return a parameter's default; empty if there is none, or if the meaning names it."""
    value = parameter.default
    if value in (None, False, (), [], "") or callable(value) or "UNSET" in repr(value):
        return ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def bounds_of(parameter: Any) -> str:
    """Return the bounds of a number; empty without bounds."""
    least, most = parameter.min, parameter.max
    if least is not None and most is not None:
        return f"{least} to {most}"
    return "" if least is None else f"at least {least}"


def _plain_type(option: Any) -> str:
    shown = str(option.bare_type()).removeprefix("list[").removesuffix("]")
    return _PLAIN.get(shown, shown.upper())
