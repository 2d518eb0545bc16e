"""`trackly-sync export`: the warehouse's declarations for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.help import Command, Group
from pipelines.cli.terminal.results import show_json
from pipelines.errors import UsageError
from pipelines.settings import load_settings
from pipelines.text.humanize import plural

app = typer.Typer(
    name="export",
    help="Write what the warehouse holds as a project for another tool.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("dbt", cls=Command)
@guarded
def dbt(
    folder: Annotated[
        str, typer.Argument(help="Where the project goes; made if it is not there.", metavar="FOLDER")
    ] = "dbt",
    force: Annotated[
        bool,
        typer.Option("--force", help="Overwrite files that were changed, or not written by this command."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Write a dbt project over the warehouse: every table as a source, with descriptions and tests.

    The project has a source for each schema (main, imports, quarantine, sync, marts), tests of every key, of known
    values and of references, a profile that attaches the warehouse read-only (dbt-duckdb), and an example model. It
    is made from the declarations of this version, without reading data, and needs no warehouse. Run it again after an
    upgrade: unchanged files are replaced. If you changed a file, nothing is written without --force.

    Examples:
    - `trackly-sync export dbt`: into dbt/ of this folder; then `cd dbt`, `pip install dbt-duckdb`, `dbt build`.
    - `trackly-sync export dbt analytics/trackly --force`
    """
    if not folder.strip():
        raise UsageError(
            "The folder has no name.", "Name one, or none for dbt/; this folder is named by a dot."
        )
    settings = load_settings()
    from pipelines.export.dbt import dbt_project  # noqa: PLC0415 - keeps help fast
    from pipelines.export.folder import write_files  # noqa: PLC0415 - the same

    contents = dbt_project(settings.warehouse.absolute())
    changed = write_files(Path(folder), contents, force=force)
    if as_json:
        show_json({"folder": folder, "files": len(contents), "written": [str(path) for path in changed]})
        return 0
    if not changed:
        out.print(f"{folder} is up to date: {plural(len(contents), 'file')}.", markup=False)
        return 0
    out.print(f"Wrote {len(changed)} of {plural(len(contents), 'file')} to {folder}.", markup=False)
    out.print(f"Next: cd {folder}, pip install dbt-duckdb, dbt build", markup=False)
    return 0
