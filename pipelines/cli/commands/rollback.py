"""`trackly-sync rollback` and `trackly-sync replay`: publish an earlier snapshot, validate quarantined rows again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipelines.cli.shared.arguments import AsJson, chosen, dataset_names
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import UsageError
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import plural
from schemas.registry import PULLED

if TYPE_CHECKING:
    from pipelines.pull.rollback import KeptSnapshot
    from schemas.own_tables.sync import Manifest

Name = Annotated[
    str | None,
    typer.Argument(
        help=f"{', '.join(PULLED)}; without one, the list.",
        metavar="DATASET",
        autocompletion=dataset_names(PULLED),
        show_default=False,
    ),
]


@guarded
def rollback(
    dataset: Name = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="SNAPSHOT",
            help="Id of the snapshot; by default the one before the published one.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be published; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Publish an earlier snapshot again; without a dataset, list the snapshots on disk.

    TRACKLY_KEEP_SNAPSHOTS sets how many snapshots are kept. Contacts, and revenue that is derived from their totals,
    are rolled back together.

    Examples:
    - `trackly-sync rollback`: the snapshots that can be published again.
    - `trackly-sync rollback contacts --dry-run`: what the next command would publish.
    - `trackly-sync rollback contacts`: the snapshot before the published one.
    - `trackly-sync rollback contacts --to 20261101T031500000000Z-1a2b3c4d`
    """
    name = _chosen(dataset, alone=not (to or dry_run))
    settings = load_settings()
    from pipelines.pull.rollback import changed_with, kept_snapshots, to_publish  # noqa: PLC0415 - keeps help fast
    from pipelines.pull.rollback import rollback as run_rollback  # noqa: PLC0415 - the same
    from pipelines.runs.recording import this_run  # noqa: PLC0415 - the same
    from pipelines.warehouse.published import published  # noqa: PLC0415 - the same

    if name is None:
        _list_snapshots(kept_snapshots(settings, PULLED), as_json=as_json)
        return 0
    before = published(settings.warehouse)
    if dry_run:
        target = to_publish(settings, name, to)
        together = changed_with(settings, target)
    else:
        target = run_rollback(settings, name, this_run(), to)
        after = published(settings.warehouse)
        together = {
            dataset: one.rows
            for dataset, one in after.items()
            if dataset != name and one != before.get(dataset)
        }
    _show_rollback(target.manifest, together, before, dry_run=dry_run, as_json=as_json)
    return 0


@guarded
def replay(
    dataset: Name = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how many rows would pass; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Validate quarantined rows again, and publish rows that now pass; without a dataset, count quarantined rows.

    Use this after an update that accepts rows which a pull quarantined before. Rows that were corrected in the
    account come with the next pull.

    Examples:
    - `trackly-sync replay`: how many rows are quarantined.
    - `trackly-sync replay contacts --dry-run`: how many of them would pass now.
    - `trackly-sync replay contacts`
    """
    name = _chosen(dataset, alone=not dry_run)
    settings = load_settings()
    refuse_misspelt()
    if name is None:
        _list_quarantined(settings, as_json=as_json)
        return 0
    from pipelines.pull.rollback import replay as run_replay  # noqa: PLC0415 - keeps help fast
    from pipelines.pull.rollback import would_pass  # noqa: PLC0415 - the same
    from pipelines.runs.recording import this_run  # noqa: PLC0415 - the same

    if dry_run:
        passed, left = would_pass(settings, name)
    else:
        snapshot, passed = run_replay(settings, name, this_run())
        left = snapshot.manifest.quarantined
    if as_json:
        show_json({"dataset": name, "passed": passed, "quarantined": left, "published": not dry_run})
        return 0
    verb = "would pass" if dry_run else "passed"
    out.print(f"{plural(passed, 'row')} of {name} {verb}; {left:,} {'' if dry_run else 'still '}quarantined.")
    if dry_run:
        out.print("Nothing was changed.")
    return 0


def _chosen(dataset: str | None, *, alone: bool) -> str | None:
    """Return the dataset, or None to list all.

    Raises:
        UsageError: there is no such dataset, or options were given without a dataset.
    """
    if dataset is not None:
        return chosen([dataset], PULLED)[0]
    if not alone:
        raise UsageError("No dataset was named.", f"Name one: {', '.join(PULLED)}.")
    return None


def _show_rollback(
    target: "Manifest",
    together: dict[str, int],
    before: "Mapping[str, Manifest]",
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show what a rollback has published, or would publish.

    Args:
        target: of the snapshot.
        together: the numbers of rows of other tables that change too.
        before: by dataset, what was published before.
        dry_run: whether it is a plan.
        as_json: for programs.
    """
    if not as_json:
        (_show_plan if dry_run else _show_done)(target, together, before)
        return
    replaced = {name: _of_manifest(before[name]) for name in (target.dataset, *together) if name in before}
    more = {"published": not dry_run, "published_now" if dry_run else "published_before": replaced}
    show_json({**_of_manifest(target), "together": together, **more})


def _show_done(target: "Manifest", together: dict[str, int], _before: "Mapping[str, Manifest]") -> None:
    done = [f"{plural(target.rows, 'row')} (snapshot {target.snapshot})"]
    done += [f"{dataset} with it: {plural(rows, 'row')}" for dataset, rows in together.items()]
    out.print(f"Published {target.dataset} as of {_minute(target)}: {'; '.join(done)}.", markup=False)
    out.print("The next pull publishes what the account holds then.")


def _show_plan(target: "Manifest", together: dict[str, int], before: "Mapping[str, Manifest]") -> None:
    """Show every table that a rollback would change, before and after."""
    rows = f"{plural(target.rows, 'row')} (snapshot {target.snapshot}){_now(before.get(target.dataset))}"
    out.print(f"Would publish {target.dataset} as of {_minute(target)}: {rows}.", markup=False)
    for name, number in together.items():
        also = (
            "make revenue again, of their totals"
            if name == "revenue"
            else f"publish the {name} it is made of"
        )
        out.print(f"Would {also}: {plural(number, 'row')}{_now(before.get(name))}.", markup=False)
    out.print("Nothing was changed.")


def _minute(manifest: "Manifest") -> str:
    return f"{manifest.finished_at[:16].replace('T', ' ')} UTC"


def _now(current: "Manifest | None") -> str:
    return f"; published now are {current.rows:,} ({current.snapshot})" if current else ""


def _of_manifest(manifest: "Manifest") -> dict[str, Any]:
    names = ("dataset", "snapshot", "finished_at", "rows", "quarantined", "run")
    return {name: getattr(manifest, name) for name in names} | {"consistency": str(manifest.consistency)}


def _list_snapshots(found: "Sequence[KeptSnapshot]", *, as_json: bool) -> None:
    if as_json:
        show_json(
            [{**_of_manifest(snapshot.manifest), "published": snapshot.published} for snapshot in found]
        )
        return
    if not found:
        out.print("There is no snapshot yet. Begin with: trackly-sync pull")
        return
    table = Table("dataset", "snapshot", "as of (UTC)", box=None, pad_edge=False, header_style="bold")
    table.add_column("rows", justify="right")
    table.add_column("")
    for snapshot in found:
        manifest = snapshot.manifest
        at = _minute(manifest).removesuffix(" UTC")
        table.add_row(
            manifest.dataset,
            manifest.snapshot,
            at,
            f"{manifest.rows:,}",
            "published" if snapshot.published else "",
        )
    out.print(table)
    out.print(
        "\nTo publish one again: trackly-sync rollback DATASET --to SNAPSHOT (--dry-run shows it first)"
    )


def _list_quarantined(settings: Settings, *, as_json: bool) -> None:
    from pipelines.warehouse.published import published  # noqa: PLC0415 - keeps help fast

    found = published(settings.warehouse)
    if as_json:
        rows = [found[name] for name in PULLED if name in found]
        show_json(
            [
                {name: getattr(manifest, name) for name in ("dataset", "snapshot", "quarantined")}
                for manifest in rows
            ]
        )
        return
    if not found:
        out.print("Nothing was pulled yet. Begin with: trackly-sync pull")
        return
    for name, manifest in found.items():
        out.print(f"{name:<10} {plural(manifest.quarantined, 'row')} quarantined", markup=False)
    if any(manifest.quarantined for manifest in found.values()):
        out.print(
            "\nWhy: trackly-sync rejects DATASET. Validate them again: trackly-sync replay DATASET (--dry-run)"
        )
