"""`trackly-sync doctor`: checks, each with a verdict and a remedy."""

from collections.abc import Sequence
from typing import Annotated

import typer

from pipelines.cli.commands.doctor_checks import Finding, examine, refuse_unusable_route, without_settings
from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import SettingsError
from pipelines.settings import load_settings
from pipelines.storage import narrow, open_to_others
from pipelines.text.sanitize import for_terminal

_SHOWN = ("check", "verdict", "found", "remedy")


@guarded
def doctor(
    as_json: AsJson = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Remove other users' access to the data directory.")
    ] = False,
) -> int:
    """Check settings, key, reachability, disk, warehouse, ledger and versions; each with a remedy.

    Exit code 0 if no check fails, 1 if one fails, 2 if the cause is a setting that is malformed or missing, or that
    pulls and pushes refuse.

    Examples:
    - `trackly-sync doctor`: before the first pull, and when something fails.
    - `trackly-sync doctor --fix`: also close the data directory to other users of this machine.
    """
    try:
        settings = load_settings()
        refuse_unusable_route(settings)
    except SettingsError as error:
        findings = without_settings(error)
    else:
        if fix:
            narrow(open_to_others(settings.data_dir))
        findings = list(examine(settings))
    code = max((one.exit_code for one in findings if one.verdict == "fail"), default=0)
    if as_json:
        show_json([{name: getattr(one, name) for name in _SHOWN} for one in findings])
        return code
    _show(findings)
    return code


def _show(findings: Sequence[Finding]) -> None:
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    for finding in findings:
        colour = colours[finding.verdict]
        out.print(f"[{colour}]{finding.verdict:<5}[/] {finding.check:<14} {for_terminal(finding.found)}")
        if finding.remedy:
            out.print(f"{'':21}→ {for_terminal(finding.remedy)}")
