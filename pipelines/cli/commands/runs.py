"""`trackly-sync runs`: runs with times and outcomes, only from the records on disk."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from pipelines.cli.shared.arguments import AsJson, run_named
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import cell, out
from pipelines.cli.terminal.results import SHORT, show_json
from pipelines.cli.terminal.row_stream import AsCsv, one_form, write_rows
from pipelines.run_records.summary import Run, every_run, latest_runs, took, unit_of
from pipelines.runs.activity_state import unended
from pipelines.runs.recording import newest, seconds
from pipelines.runs.run_state import unended_runs
from pipelines.settings import Settings, load_settings
from pipelines.snapshots import snapshots
from pipelines.text.humanize import plural
from pipelines.text.sanitize import for_terminal, plain
from schemas.own_tables.sync import Manifest, RunRecord
from schemas.registry import PULLED

_COLOURS = {
    "running": "cyan",
    "killed": "bold red",
    "failed": "bold red",
    "stopped": "yellow",
    "succeeded": "green",
}
_MOVED = ("sent", "accepted", "left_out", "pending")
"""Figures that only a push has."""

_COLUMNS = (
    "run", "run_status", "activity", "month", "started_at", "finished_at", "seconds", "status", "rows", *_MOVED,
    "error", "details",
)  # fmt: skip


@guarded
def runs(
    run: Annotated[
        str | None, typer.Argument(help="One run, by its id or how that begins.", metavar="RUN")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many runs to show.", min=1)] = 15,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """List recent runs with times, figures and outcomes, or show one run with its evidence.

    Examples:
    - `trackly-sync runs`: the latest.
    - `trackly-sync runs 4f1c`: one run: each activity with its figures, and the evidence for its snapshots.
    - `trackly-sync runs --csv > runs.csv`: every activity on record; so with --json.

    A run is `running` until its process, or its job of Dagster, has ended: see `run_status` in --json and --csv. A
    killed run is shown up to its last sign of life, which a run gives each second: `8.9 s + ?`.
    """
    one_form(as_json=as_json, as_csv=as_csv)
    settings = load_settings()
    if run is not None:
        chosen = _named(settings, run)
        _show_one(settings, chosen, as_json=as_json, as_csv=as_csv)
    elif as_json or as_csv:
        write_rows(_COLUMNS, _every_activity(settings), as_json=as_json, as_csv=as_csv)
    else:
        _show_latest(settings, limit)
    return 0


def _show_latest(settings: Settings, limit: int) -> None:
    found, more = latest_runs(settings.data_dir, limit)
    if not found:
        out.print("Nothing has run yet. Begin with: trackly-sync pull")
        return
    show_runs(found)
    out.print(f"\nOne of them with its evidence: trackly-sync runs {found[0].run[:SHORT]}")
    if more:
        out.print(f"Earlier ones: trackly-sync runs --limit {limit * 4}, or all with --csv")


def show_runs(found: Sequence[Run]) -> None:
    """A table of runs."""
    table = Table("run", "began (UTC)", box=None, pad_edge=False, header_style="bold")
    table.add_column("took", justify="right")
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    table.add_column("what")
    for run in found:
        table.add_row(
            run.run[:SHORT],
            _clock(run.began),
            run.took,
            f"[{_COLOURS.get(run.status, 'default')}]{run.status}[/]",
            run.rows_moved,
            cell(f"{run.what}: {run.figures}" if run.figures else run.what),
        )
    out.print(table)


def _every_activity(settings: Settings) -> Iterator[list[Any]]:
    """Yield rows of _COLUMNS, latest activity first."""
    statuses = {run.run: run.status for run in every_run(settings.data_dir)}
    every = _activities(settings)
    return (list(_row(record, statuses.get(record.run, record.status)).values()) for record in every)


def _activities(settings: Settings) -> list[RunRecord]:
    """Return activities under way or killed, then those that have ended, latest first, each once."""
    under_way = reversed(unended(settings.data_dir))
    ended = list(newest(settings.data_dir))
    known = {(record.run, record.activity, record.started_at) for record in ended}
    return [
        *(record for record in under_way if (record.run, record.activity, record.started_at) not in known),
        *ended,
    ]


def _named(settings: Settings, begin: str) -> list[RunRecord]:
    """Return the activities of one run in their order.

    Raises:
        UsageError: no run begins so, or several do.
    """
    every = _activities(settings)
    run = run_named(begin, (record.run for record in every), "run on record")
    return [record for record in reversed(every) if record.run == run]


def _show_one(settings: Settings, activities: list[RunRecord], *, as_json: bool, as_csv: bool) -> None:
    run = activities[0].run
    status = Run(run, activities, unended_runs(settings.data_dir).get(run, "")).status
    if as_csv:
        rows = (list(_row(record, status).values()) for record in activities)
        write_rows(_COLUMNS, rows, as_json=False, as_csv=True)
        return
    made = [snapshot.manifest for snapshot in _snapshots(settings) if snapshot.manifest.run == run]
    if as_json:
        listed = [_row(record, status) | {"details": record.figures} for record in activities]
        snapshots_made = [msgspec.to_builtins(manifest) for manifest in made]
        show_json({"run": run, "status": status, "activities": listed, "snapshots": snapshots_made})
        return
    out.print(f"[bold]Run {run}[/], began {_clock(activities[0].started_at)} UTC: {status}\n")
    for record in activities:
        _show_activity(record)
    for manifest in made:
        _show_evidence(manifest)


def _show_activity(record: RunRecord) -> None:
    ran = took(seconds(record), record.status) if record.finished_at or record.status == "running" else ""
    activity = f"{record.activity} {record.month}" if record.month else record.activity
    colour = _COLOURS.get(record.status, "default")
    out.print(f"[{colour}]{record.status:<10}[/] {activity:<18} {ran:>9}  {_moved(record)}".rstrip())
    if record.error:
        out.print(f"{'':11}{for_terminal(record.error)}")
    figures = record.figures
    for text in (
        _listed(figures),
        f"the input then: {_listed(figures['input'])}" if "input" in figures else "",
    ):
        if text:
            out.print(f"{'':11}{plain(text)}", markup=False)


def _moved(record: RunRecord) -> str:
    """Describe the rows of an activity; for a push, their outcomes."""
    if record.sent is not None:
        return ", ".join(f"{getattr(record, name) or 0:,} {_spaced(name)}" for name in _MOVED)
    if record.rows is None:
        return "rows unknown" if record.status == "killed" else ""
    return plural(record.rows, unit_of(record))


def _listed(figures: dict[str, Any]) -> str:
    return ", ".join(
        f"{_spaced(name)} {_plain(value)}"
        for name, value in figures.items()
        if value not in (0, "0", "", None) and not isinstance(value, dict)
    )


def _show_evidence(manifest: Manifest) -> None:
    out.print(f"\n[bold]Snapshot of {manifest.dataset}[/] {manifest.snapshot}")
    out.print(f"  {manifest.consistency}: {plain(manifest.evidence)}", markup=False)
    if manifest.quarantined:
        out.print(
            f"  {plural(manifest.quarantined, 'row')} quarantined: trackly-sync rejects {manifest.dataset}",
            markup=False,
        )


def _snapshots(settings: Settings) -> Iterator[Any]:
    for name in PULLED:
        yield from snapshots(settings.parquet_dir, name)


def _row(record: RunRecord, run_status: str) -> dict[str, Any]:
    """Return a record as a row of _COLUMNS."""
    more = {
        "run_status": run_status,
        "seconds": seconds(record) if record.finished_at else None,
        "details": bytes(record.details).decode() if record.figures else None,
    }
    values = msgspec.structs.asdict(record) | more
    return {name: values[name] for name in _COLUMNS}


def _clock(instant: str) -> str:
    return instant[:19].replace("T", " ")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
