"""`trackly-sync rollback` and `trackly-sync replay`."""

from typing import Annotated

import typer

from pipelines.cli.arguments import chosen
from pipelines.cli.guarded import guarded
from pipelines.cli.terminal import out
from pipelines.settings import load_settings
from pipelines.spans import plural
from schemas.registry import PULLED

Name = Annotated[str, typer.Argument(help="contacts, lists, offers or revenue.", metavar="DATASET")]


@guarded
def rollback(
    dataset: Name,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Id of the snapshot; by default the one before the published one."),
    ] = None,
) -> int:
    """Publish an earlier snapshot again.

    Snapshots on disk are listed in the table sync.snapshots; TRACKLY_KEEP_SNAPSHOTS says how many there are.
    """
    (name,) = chosen([dataset], PULLED)
    settings = load_settings()
    from pipelines.pull.rollback import rollback as run_rollback  # noqa: PLC0415 - help answers at once
    from pipelines.runs import this_run  # noqa: PLC0415 - the same

    snapshot = run_rollback(settings, name, this_run(), to)
    manifest = snapshot.manifest
    out.print(
        f"Published {name} as of {manifest.finished_at}: "
        f"{plural(manifest.rows, 'row')} (snapshot {manifest.snapshot})."
    )
    out.print("The next pull publishes what the account holds then.")
    return 0


@guarded
def replay(dataset: Name) -> int:
    """Validate the quarantined rows again, and publish those that now pass."""
    (name,) = chosen([dataset], PULLED)
    settings = load_settings()
    from pipelines.pull.rollback import replay as run_replay  # noqa: PLC0415 - help answers at once
    from pipelines.runs import this_run  # noqa: PLC0415 - the same

    snapshot, passed = run_replay(settings, name, this_run())
    out.print(
        f"{plural(passed, 'row')} of {name} passed; {snapshot.manifest.quarantined:,} still quarantined."
    )
    return 0
