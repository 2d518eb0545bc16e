"""`trackly-sync pull`."""

import time
from typing import Annotated

import typer

from pipelines.cli.arguments import AsJson, Quiet, chosen, dataset_names
from pipelines.cli.guarded import guarded
from pipelines.cli.progress import progress
from pipelines.cli.show import pull_json, pull_notes, show_cost, show_json, show_notes, show_pulled
from pipelines.cli.terminal import out
from pipelines.errors import UsageError
from pipelines.settings import load_settings
from schemas.registry import PULLED


@guarded
def pull(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="contacts, lists, offers, revenue; by default all.", autocompletion=dataset_names(PULLED)
        ),
    ] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even if most rows have disappeared.")
    ] = False,
    since_last: Annotated[
        bool,
        typer.Option("--since-last", help="Of contacts, read only new sign-ups; the snapshot is then fuzzy."),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Full, consistent snapshots, validated, and published in one swap.

    Examples:
    - `trackly-sync pull`: all four datasets.
    - `trackly-sync pull contacts offers`: these two.

    Readers of warehouse.duckdb are never locked out. A pull that fails or is stopped changes nothing that they see.
    """
    names = chosen(datasets, PULLED)
    if since_last and "contacts" not in names:
        raise UsageError("--since-last is about contacts.", "Name contacts, or leave the option out.")
    settings = load_settings()
    settings.require_key()
    from pipelines.pull.run import pull as run_pull  # noqa: PLC0415 - help answers at once
    from pipelines.push.audit.publish import publish_missing_imports  # noqa: PLC0415 - the same
    from pipelines.runs import this_run  # noqa: PLC0415 - the same

    started = time.monotonic()
    with progress("pull", quiet=quiet or as_json) as report:
        made = run_pull(settings, names, this_run(), report, allow_shrink=allow_shrink, since_last=since_last)
    publish_missing_imports(settings)
    manifests = {snapshot.manifest.dataset: snapshot.manifest for snapshot in made}
    if as_json:
        show_json({name: pull_json(manifest) for name, manifest in manifests.items()})
        return 0
    if set(manifests) - set(names):
        out.print("Revenue is made of contacts' totals here, so both were pulled.")
    show_pulled(manifests, manifests)
    show_notes("Needs attention", pull_notes(manifests))
    pulled = list(manifests.values())
    requests, retries = sum(of.requests for of in pulled), sum(of.retries for of in pulled)
    show_cost(time.monotonic() - started, requests, retries, sum(of.rows for of in pulled))
    out.print(f"Published in {settings.warehouse}. Next: trackly-sync status", markup=False)
    return 0
