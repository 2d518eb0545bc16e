"""`trackly-sync logs`: the log of one run, from its log file."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.shared.arguments import run_named
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.errors import NothingYetError
from pipelines.logs import kept_logs
from pipelines.settings import load_settings
from pipelines.storage import storage_errors
from pipelines.text.sanitize import for_json, for_terminal

_COLOURS = {"warning": "yellow", "error": "bold red"}


@guarded
def logs(
    run: Annotated[
        str | None,
        typer.Argument(help="A run, by its id or how that begins; by default the last.", metavar="RUN"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on a line, with all figures.")
    ] = False,
) -> int:
    """Show the log of a run: activities that began and ended, retries with reasons, quarantined rows.

    Logs of the last 500 runs are kept in logs/ of the data directory, without keys and personal data.

    Examples:
    - `trackly-sync logs`: of the last run.
    - `trackly-sync logs 4f1c --json`: of one, for programs.
    """
    path = _chosen(kept_logs(load_settings().data_dir / "logs"), run)
    with storage_errors("read", path), path.open(encoding="utf-8") as file:
        for line in file:
            if as_json:
                sys.stdout.write(for_json(line.rstrip("\n")) + "\n")
            else:
                _show(line)
    return 0


def _chosen(files: dict[str, Path], begin: str | None) -> Path:
    """Return the log file of the last run, or of the run whose id begins as given.

    Raises:
        NothingYetError: there is none yet.
        UsageError: none begins so, or several do.
    """
    if not files:
        raise NothingYetError("No run has left a log yet.", "Begin with: trackly-sync pull")
    if begin is None:
        return list(files.values())[-1]
    return files[run_named(begin, files, "run with a log")]


def _show(line: str) -> None:
    try:
        entry = json.loads(line)
    except ValueError:  # the end of a line that a killed process began
        return
    level = entry["level"]
    colour = _COLOURS.get(level, "dim")
    out.print(
        f"[dim]{entry['time'][:19].replace('T', ' ')}[/] [{colour}]{level:<7}[/] {for_terminal(entry['message'])}"
    )
    if entry.get("error"):
        out.print(f"{'':28}{for_terminal(entry['error'])}")
