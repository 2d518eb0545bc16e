"""The commands put together, with the options that all of them share."""

from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import typer

from pipelines.cli import (
    adopt,
    alerts,
    demo,
    diff,
    doctor,
    earlier,
    export,
    guarded,
    lint,
    logs,
    pull,
    push,
    reconcile,
    rejects,
    report,
    resolve,
    runs,
    sandbox,
    status,
    ui,
    webhooks,
)
from pipelines.cli.terminal import log_to_terminal, out, tell
from pipelines.errors import SettingsError, TracklySyncError
from pipelines.settings import load_settings, unknown_settings
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
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("pull")(pull.pull)
app.command("push")(push.push)
app.command("reconcile")(reconcile.reconcile)
app.command("resolve")(resolve.resolve)
app.command("adopt")(adopt.adopt)
app.command("status")(status.status)
app.command("runs")(runs.runs)
app.command("logs")(logs.logs)
app.command("rejects")(rejects.rejects)
app.command("report")(report.report)
app.command("alerts")(alerts.alerts)
app.command("lint")(lint.lint)
app.command("diff")(diff.diff)
app.command("rollback")(earlier.rollback)
app.command("replay")(earlier.replay)
app.add_typer(export.app, name="export")
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("ui")(ui.ui)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(webhooks.app, name="webhooks")


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
    guarded.verbose.set(verbose)
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
