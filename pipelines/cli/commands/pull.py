"""`trackly-sync pull`."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.shared.arguments import AsJson, Quiet, chosen, dataset_names
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.progress import progress
from pipelines.cli.terminal.results import (
    pull_json,
    pull_notes,
    show_cost,
    show_json,
    show_notes,
    show_pulled,
)
from pipelines.errors import UsageError
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import plural
from pipelines.text.sanitize import plain
from schemas.own_tables.sync import Manifest
from schemas.registry import PULLED

if TYPE_CHECKING:
    from pipelines.pull.run import Pulled


@guarded
def pull(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="contacts, lists, offers, revenue, creatives, audiences, schedules; by default all.",
            metavar="DATASET",
            autocompletion=dataset_names(PULLED),
        ),
    ] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even if most rows have disappeared.")
    ] = False,
    since_last: Annotated[
        bool,
        typer.Option("--since-last", help="Of contacts, read only new sign-ups; the snapshot is then fuzzy."),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Have the account count its audiences first, one by one; this writes their sizes into the account.",
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Make full, consistent snapshots, validate them, and publish them in one swap.

    Examples:
    - `trackly-sync pull`: all datasets of the account. If it has no creatives, audiences or schedules, this is no
      error.
    - `trackly-sync pull contacts offers`: these two.
    - `trackly-sync pull audiences --measure`: count sizes now. No other pull writes to the account.

    Readers of warehouse.duckdb are never locked out. A pull that fails or is stopped changes no data that readers
    see.
    """
    names = chosen(datasets, PULLED)
    for option, is_given, about in (
        ("--since-last", since_last, "contacts"),
        ("--measure", measure, "audiences"),
    ):
        if is_given and about not in names:
            raise UsageError(f"{option} is about {about}.", f"Name {about}, or leave the option out.")
    settings = load_settings()
    refuse_misspelt()
    settings.require_key()
    from pipelines.pull.run import pull_all, pull_chosen  # noqa: PLC0415 - keeps help fast
    from pipelines.push.audit.publish.lost_warehouse import publish_missing_imports  # noqa: PLC0415 - the same
    from pipelines.runs.recording import this_run  # noqa: PLC0415 - the same

    started = time.monotonic()
    if measure:
        _measure(settings, datasets, quiet=quiet or as_json)
    how = {"allow_shrink": allow_shrink, "since_last": since_last}
    with progress("pull", quiet=quiet or as_json) as report:
        if datasets:
            done = pull_chosen(settings, names, this_run(), report, **how)
        else:
            done = pull_all(settings, this_run(), report, **how)
    publish_missing_imports(settings)
    if as_json:
        show_json(_document(done))
        return 0
    _show(names, done, time.monotonic() - started)
    out.print(f"Published in {settings.warehouse}. Next: trackly-sync status", markup=False)
    return 0


def _document(done: "Pulled") -> dict[str, Any]:
    """Return the result of a pull as a document for programs."""
    return {
        **{name: pull_json(manifest) for name, manifest in _manifests(done).items()},
        **{name: {"skipped": why} for name, why in done.skipped.items()},
    }


def _manifests(done: "Pulled") -> dict[str, Manifest]:
    return {snapshot.manifest.dataset: snapshot.manifest for snapshot in done.snapshots}


def _measure(settings: Settings, datasets: Sequence[str] | None, *, quiet: bool) -> None:
    """Have the account count its audiences; the run is recorded under the name of this command."""
    from pipelines.pull.derived.audience_sizes import measure_audiences  # noqa: PLC0415 - keeps help fast
    from pipelines.pull.run import pull as run_pull  # noqa: PLC0415 - the same
    from pipelines.runs.recording import new_run_id, part_of  # noqa: PLC0415 - the same

    run = new_run_id()  # the pull that follows is another run
    asked = " ".join(["pull", *(datasets or ()), "--measure"])
    with part_of(asked), progress("measure", quiet=quiet) as report:
        run_pull(settings, ["audiences"], run, report)
        tell(
            "The account counts its audiences now, one by one, and keeps the sizes: this writes to the account."
        )
        done = measure_audiences(settings, run, lambda count, total: report("audience sizes", count, total))
    gone = f", {done.gone:,} are gone" if done.gone else ""
    left = (
        f"; {plural(done.left, 'audience')} left for another run (TRACKLY_MEASURE_MOST)" if done.left else ""
    )
    tell(f"{plural(done.counted, 'audience')} counted{gone}{left}.")


def _show(names: Sequence[str], done: "Pulled", seconds: float) -> None:
    """Show the result of a pull for people.

    Args:
        names: the datasets asked for.
        done: the result.
        seconds: how long it took.
    """
    manifests = _manifests(done)
    if set(manifests) - set(names):
        out.print("Revenue is made of contacts' totals here, so both were pulled.")
    show_pulled(manifests, manifests)
    for name, why in done.skipped.items():
        out.print(plain(f"{name}: not pulled, since the account does not serve it. {why}"), markup=False)
    show_notes("Needs attention", pull_notes(manifests))
    show_cost(seconds, done.requests, done.retries, sum(manifest.rows for manifest in manifests.values()))
