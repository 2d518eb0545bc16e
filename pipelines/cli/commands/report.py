"""`trackly-sync report`: the state of the warehouse as one page of HTML, to look at, send or print."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import UsageError
from pipelines.report import PAGE
from pipelines.settings import load_settings
from pipelines.storage import is_there, usual_mode


@guarded
def report(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file; its mode follows your umask. By default report.html in the data directory.",
            dir_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write one HTML page about the warehouse: freshness, revenue, lists, imports, quarantine, recent runs.

    The page loads nothing from the network. It holds figures and names, such as those of lists and offers, but no
    phone numbers, messages or rows. You can open it without a network, send it, or print it. The command reads
    nothing from the account.

    Examples:
    - `trackly-sync report`
    - `trackly-sync report --output /srv/www/trackly.html`: after each pull, for a web server.
    """
    settings = load_settings()
    if output and not is_there(output.parent):
        raise UsageError(
            f"There is no folder {output.parent} to write the page to.", "Make it, or name another file."
        )
    from pipelines.cli.shared.report_run import make_report  # noqa: PLC0415 - keeps help fast

    path = output or settings.data_dir / PAGE
    size, _ = make_report(settings, path, usual_mode() if output else 0o600)
    if as_json:
        show_json({"file": str(path), "bytes": size})
        return 0
    out.print(f"Wrote {path} ({size / 1000:,.0f} kB). Open it in any browser.", markup=False)
    return 0
