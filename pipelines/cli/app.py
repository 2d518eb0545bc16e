"""The commands put together, with the options that all of them share."""

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from itertools import groupby
from typing import Annotated, Any

import typer

from pipelines.cli.loading import LazyCommand, LazyCommands
from pipelines.cli.shared import exits
from pipelines.cli.terminal.consoles import log_to_terminal, out, tell
from pipelines.cli.terminal.help import Group
from pipelines.cli.terminal.help_page import Rows
from pipelines.errors import SettingsError, TracklySyncError
from pipelines.process.exit_codes import MEANINGS
from pipelines.settings import load_settings
from pipelines.settings.broken_lines import other_broken_lines
from pipelines.settings.misspelt import misspelt
from pipelines.storage import be_private, claim

_HELP = """
Everything out of Trackly SMS into DuckDB and Parquet, consistently; history into it, once.

Settings come from the environment or a .env file: TRACKLY_API_KEY, TRACKLY_BASE_URL, TRACKLY_DATA_DIR and others
(see README.md, or `trackly-sync doctor` for what holds now).
"""

_EPILOG = "\n".join(
    [
        "Exit codes:",
        *(f"- {code}: {meaning}" for code, meaning in MEANINGS.items()),
        "",
        "Begin with: trackly-sync doctor, then trackly-sync pull. To try it without a key: trackly-sync demo",
    ]
)

_PULL, _PUSH = "Pull: the account into the warehouse", "Push: history into the account"
_STATE, _RUN, _TRY = "See how things stand", "Run and connect", "Try it without a key"

COMMANDS: tuple[LazyCommand, ...] = (
    LazyCommand(_PULL, "pull", "pull", "Pull consistent snapshots and publish them.", "pull"),
    LazyCommand(_PULL, "diff", "diff", "Show what changed between two pulls.", "diff"),
    LazyCommand(
        _PULL, "rollback", "rollback", "Publish an earlier snapshot again, or list them.", "rollback"
    ),
    LazyCommand(_PULL, "replay", "rollback", "Validate quarantined rows again, or count them.", "replay"),
    LazyCommand(_PUSH, "push", "push", "Send history that is not in the account yet.", "push"),
    LazyCommand(_PUSH, "rejects", "rejects", "List the rows that were left out, and why.", "rejects"),
    LazyCommand(_PUSH, "reconcile", "reconcile", "Compare what was accepted with the account.", "reconcile"),
    LazyCommand(_PUSH, "resolve", "resolve", "List revenue in doubt, or settle it by hand.", "resolve"),
    LazyCommand(_PUSH, "adopt", "adopt", "Take sent revenue over into a lost ledger.", "adopt"),
    LazyCommand(
        _STATE, "status", "status", "Show what was pulled and pushed, and what needs attention.", "status"
    ),
    LazyCommand(_STATE, "runs", "runs", "List recent runs, or show one with its evidence.", "runs"),
    LazyCommand(_STATE, "logs", "logs", "Show what a run logged.", "logs"),
    LazyCommand(_STATE, "report", "report", "Write one HTML page about the warehouse.", "report"),
    LazyCommand(_STATE, "alerts", "alerts", "Check what alerts, and send what changed.", "alerts"),
    LazyCommand(_STATE, "lint", "lint", "Check campaigns before they are sent.", "lint"),
    LazyCommand(_STATE, "doctor", "doctor", "Check settings, key, network, disk and versions.", "doctor"),
    LazyCommand(_RUN, "ui", "ui", "Serve Dagster's UI, with its daemon.", "ui"),
    LazyCommand(_RUN, "export", "export", "Write what the warehouse holds as a project for another tool."),
    LazyCommand(_RUN, "webhooks", "webhooks", "Receive Trackly's events into webhook_events, and lose none."),
    LazyCommand(_TRY, "demo", "demo", "Pull, push and reconcile a made-up account.", "demo"),
    LazyCommand(_TRY, "sandbox", "sandbox", "Serve a made-up account.", "sandbox"),
)
"""Every command, in the order of the help."""


_REFUSING = ("pull", "push", "replay", "resolve", "adopt", "reconcile")
"""Commands that call `refuse_misspelt`."""


class _Top(Group):
    """The group of all commands; a command is loaded only when it is called."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        commands = LazyCommands({command.name: command for command in COMMANDS})
        self.commands = commands  # type: ignore[assignment] # nothing adds a command later

    def panels(self) -> Iterator[tuple[str, Rows]]:
        """Yield the commands in the groups of `COMMANDS`."""
        for title, commands in groupby(COMMANDS, lambda command: command.panel):
            yield title, [(command.name, command.short) for command in commands]


app = typer.Typer(
    help=_HELP,
    epilog=_EPILOG,
    cls=_Top,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"trackly-sync {version('trackly-sync')}")
        raise typer.Exit


@app.callback()
def _shared(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say what is done, and where errors come from.")
    ] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del show_version  # its callback has shown the version
    exits.verbose.set(verbose)
    log_to_terminal(verbose)
    _keep_private()
    with suppress(OSError, UnicodeDecodeError):  # of .env, which the command itself reports
        for text in other_broken_lines():
            tell(text)
    if context.invoked_subcommand != "doctor":  # which has more to say of it
        _tell_of_misspelt_settings(context.invoked_subcommand or "")


def _keep_private() -> None:
    """Keep others out of the data directory, and remove what a killed run has left in it."""
    be_private()
    try:
        settings = load_settings()
    except SettingsError:  # the command itself says so
        return
    from pipelines.push.stage.cleanup import tidy  # noqa: PLC0415 - keeps help fast

    claim(settings.data_dir)
    try:
        tidy(settings)
    except TracklySyncError as error:
        tell(f"What a killed run left cannot be removed: {error}")


def _tell_of_misspelt_settings(command: str) -> None:
    """A setting that is not read does nothing, and nothing else would say so; some commands refuse it themselves."""
    with suppress(OSError, UnicodeDecodeError):  # of .env, which the command itself reports
        for one in misspelt():
            if one.meant and not (one.is_refused and command in _REFUSING):
                tell(one.text)
