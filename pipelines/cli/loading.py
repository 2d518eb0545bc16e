"""Commands that are imported only when they are called, so that other commands start faster.

What does not belong here: which commands there are (`app`).
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer.main
from typer import Typer

from pipelines.cli.terminal.help import Command


class LazyCommand(NamedTuple):
    """A command that is imported when it is called.

    Attributes:
        panel: the group in the help.
        name: the command's name.
        module: its module in `pipelines.cli.commands`.
        short: its purpose in a few words.
        function: its function in the module; "" for the module's `app`, a group of commands.
    """

    panel: str
    name: str
    module: str
    short: str
    function: str = ""

    def load(self) -> Any:
        """Import and return the command."""
        module = import_module(f"pipelines.cli.commands.{self.module}")
        if not self.function:
            return typer.main.get_group(module.app)
        one = Typer(add_completion=False, rich_markup_mode=None)
        one.command(self.name, cls=Command, short_help=self.short)(getattr(module, self.function))
        return typer.main.get_command(one)


class LazyCommands(Mapping[str, Any]):
    """Commands by name, each imported when it is called.

    Args:
        commands: the commands by name.
    """

    def __init__(self, commands: Mapping[str, LazyCommand]) -> None:
        self._commands, self._loaded = commands, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._commands[name].load()
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)
