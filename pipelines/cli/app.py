"""The commands put together, with the options that all of them share."""

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Any

import typer

from pipelines.cli.commands import (
    adopt,
    alerts,
    demo,
    diff,
    doctor,
    export,
    lint,
    logs,
    pull,
    push,
    reconcile,
    rejects,
    report,
    resolve,
    rollback,
    runs,
    sandbox,
    status,
    ui,
    webhooks,
)
from pipelines.cli.shared import exits
from pipelines.cli.terminal.consoles import log_to_terminal, out, tell
from pipelines.cli.terminal.help import Command, Group
from pipelines.errors import SettingsError, TracklySyncError
from pipelines.settings import load_settings
from pipelines.settings_given import unknown_settings
from pipelines.storage import be_private, claim

_HELP = """
Everything out of Trackly SMS into DuckDB and Parquet, consistently; history into it, once.

Settings come from the environment or a .env file: TRACKLY_API_KEY, TRACKLY_BASE_URL, TRACKLY_DATA_DIR and others
(see README.md, or `trackly-sync doctor` for what holds now).
"""

_EPILOG = (
    "Exit codes: 0 done; 1 failed, nothing half-done; 2 usage or settings; 3 done, but rows were left out beyond the "
    "limit; 130 stopped. Begin with: trackly-sync doctor, then trackly-sync pull. To try it without a key: "
    "trackly-sync demo"
)

app = typer.Typer(
    help=_HELP,
    epilog=_EPILOG,
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PULL, _PUSH = "Pull: the account into the warehouse", "Push: history into the account"
_STATE, _RUN, _TRY = "See how things stand", "Run and connect", "Try it without a key"

_COMMANDS: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
    (_PULL, "pull", pull.pull, "Pull consistent snapshots and publish them."),
    (_PULL, "diff", diff.diff, "Show what changed between two pulls."),
    (_PULL, "rollback", rollback.rollback, "Publish an earlier snapshot again, or list them."),
    (_PULL, "replay", rollback.replay, "Validate quarantined rows again, or count them."),
    (_PUSH, "push", push.push, "Send history that is not in the account yet."),
    (_PUSH, "rejects", rejects.rejects, "List the rows that were left out, and why."),
    (_PUSH, "reconcile", reconcile.reconcile, "Compare what was accepted with the account."),
    (_PUSH, "resolve", resolve.resolve, "List revenue in doubt, or settle it by hand."),
    (_PUSH, "adopt", adopt.adopt, "Take sent revenue over into a lost ledger."),
    (_STATE, "status", status.status, "Show what was pulled and pushed, and what needs attention."),
    (_STATE, "runs", runs.runs, "List recent runs, or show one with its evidence."),
    (_STATE, "logs", logs.logs, "Show what a run logged."),
    (_STATE, "report", report.report, "Write one HTML page about the warehouse."),
    (_STATE, "alerts", alerts.alerts, "Check what alerts, and send what changed."),
    (_STATE, "lint", lint.lint, "Check campaigns before they are sent."),
    (_STATE, "doctor", doctor.doctor, "Check settings, key, network, disk and versions."),
    (_RUN, "ui", ui.ui, "Serve Dagster's UI, with its daemon."),
    (_TRY, "demo", demo.demo, "Pull, push and reconcile a made-up account."),
    (_TRY, "sandbox", sandbox.sandbox, "Serve a made-up account."),
)
"""The commands: the group that help shows them in, the name, what they do, and that in a few words."""

for _panel, _name, _command, _short in _COMMANDS:
    app.command(_name, cls=Command, rich_help_panel=_panel, short_help=_short)(_command)
app.add_typer(export.app, name="export", rich_help_panel=_RUN, cls=Group)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel=_RUN, cls=Group)


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
    del show_version  # its callback has dealt with it
    exits.verbose.set(verbose)
    log_to_terminal(verbose)
    _keep_private()
    if context.invoked_subcommand != "doctor":  # which has more to say of it
        _tell_of_misspelt_settings()


def _keep_private() -> None:
    """Keep others out of the data directory, and remove what a killed run has left in it."""
    be_private()
    try:
        settings = load_settings()
    except SettingsError:  # the command itself says so
        return
    from pipelines.push.stage.leftovers import tidy  # noqa: PLC0415 - help answers at once

    claim(settings.data_dir)
    try:
        tidy(settings)
    except TracklySyncError as error:
        tell(f"What a killed run left cannot be removed: {error}")


def _tell_of_misspelt_settings() -> None:
    """A setting that is not read does nothing, and nothing else would say so."""
    with suppress(OSError, UnicodeDecodeError):  # of .env, which the command itself reports
        for name, meant in unknown_settings().items():
            if meant:
                tell(f"{name} is no setting and has no effect; {meant} is one.")
