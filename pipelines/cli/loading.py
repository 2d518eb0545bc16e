"""Commands that are loaded when they are asked for, so that the others cost nothing.

What does not belong here: which commands there are (`app`).
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer.main
from typer import Typer

from pipelines.cli.terminal.help import Command


class LazyCommand(NamedTuple):
    """A command that is loaded when it is asked for.

    Attributes:
        panel: the group that help shows it in.
        name: what it is called.
        module: where it lies, in `pipelines.cli.commands`.
        short: what it does, in a few words.
        function: of the module; "" for its `app`, a group of commands.
    """

    panel: str
    name: str
    module: str
    short: str
    function: str = ""

    def load(self) -> Any:
        """The command."""
        module = import_module(f"pipelines.cli.commands.{self.module}")
        if not self.function:
            return typer.main.get_group(module.app)
        one = Typer(add_completion=False, rich_markup_mode=None)
        one.command(self.name, cls=Command, short_help=self.short)(getattr(module, self.function))
        return typer.main.get_command(one)


class LazyCommands(Mapping[str, Any]):
    """Commands by name, each loaded when it is asked for.

    Args:
        commands: by name, where they lie.
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
