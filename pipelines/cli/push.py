"""`trackly-sync push`."""

import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipelines.cli.arguments import AsJson, Quiet, chosen, dataset_names
from pipelines.cli.guarded import guarded
from pipelines.cli.progress import progress
from pipelines.cli.show import LEFT_OUT_AS, push_notes, show_cost, show_json, show_notes, show_pushed
from pipelines.cli.terminal import out, tell
from pipelines.errors import UsageError
from pipelines.logs import run_id
from pipelines.runs import newest
from pipelines.settings import Settings, load_settings
from pipelines.spans import duration
from pipelines.text import for_terminal, plain
from schemas.registry import PUSHED

if TYPE_CHECKING:
    from pipelines.push.plan import Plan
    from pipelines.push.revenue import Unsettled
    from pipelines.push.run import PushReport
    from pipelines.push.verdicts import Outcomes

LEFT_OUT = 3
_REASONS_SHOWN = 3


@guarded
def push(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="sends, clicks, revenue; by default all.", autocompletion=dataset_names(PUSHED)),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="A file or folder instead of TRACKLY_HISTORY_DIR; may be given several times."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; send nothing, record nothing.")
    ] = False,
    month: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM",
            help="Send only rows of this month, by their own timestamp; the others stay pending.",
        ),
    ] = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Try rows again that the API rejected earlier.")
    ] = False,
    ignore_unread: Annotated[
        bool,
        typer.Option(
            "--ignore-unread", help="Go on without files that are named like a dataset but not read."
        ),
    ] = False,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait",
            help="Do not wait until revenue without an answer can be settled: end with 3, the next push settles it.",
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Send history that is not in the account yet; running it again sends nothing twice.

    Examples:
    - `trackly-sync push --dry-run`: what would be sent, and what not and why.
    - `trackly-sync push`: everything in the history folder: sends, then clicks and revenue.
    - `trackly-sync push sends --from export/sends.csv`: one file.
    - `trackly-sync push --month 2025-03`: one month of years, to begin with.

    Stop it at any time and run it again. Exit code 3: done, but rows were left out (TRACKLY_PUSH_LEFT_OUT_SHARE),
    revenue waits to be settled, or is perhaps there twice.
    """
    names = chosen(datasets, PUSHED)
    between = None if month is None else _month(month)
    if between and dry_run:
        raise UsageError("--dry-run plans all of the input.", "Leave --month out.")
    settings = load_settings()
    if not dry_run:
        settings.require_key()
    from pipelines.push.run import push as run_push  # noqa: PLC0415 - help answers at once

    started = time.monotonic()
    with progress("plan" if dry_run else "push", quiet=quiet or as_json) as report:
        done = run_push(
            settings,
            names,
            source,
            dry_run=dry_run,
            retry_rejected=retry_rejected,
            ignore_unread=ignore_unread,
            between=between,
            wait=not no_wait,
            on_progress=report,
        )
    if dry_run:
        _show_plans(done.plans, as_json)
        return 0
    if as_json:
        show_json({name: asdict(counts) for name, counts in done.outcomes.items()})
    else:
        _show_done(settings, done, time.monotonic() - started)
    return unsettled(done.unsettled) or left_out(settings, done.outcomes)


def _month(name: str) -> tuple[datetime, datetime]:
    """From its first moment to that of the next month, UTC.

    Raises:
        UsageError: it is no month.
    """
    try:
        first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{name!r} is not a month.", "Write it as --month 2025-03.") from None
    return first, (first + timedelta(days=31)).replace(day=1)


def _show_done(settings: Settings, done: "PushReport", took: float) -> None:
    show_pushed(done.outcomes)
    show_notes("Needs attention", [*_alarms(settings), *push_notes(done.outcomes)])
    for name, reasons in done.reasons.items():
        why = [(reason, rows) for reason, rows in reasons.items() if reason.startswith(LEFT_OUT_AS)]
        for reason, rows in why[:_REASONS_SHOWN]:
            out.print(f"    {name}: {rows:,} {plain(reason)}", markup=False)
    made = [
        record for record in islice(newest(settings.data_dir), 3 * len(PUSHED)) if record.run == run_id.get()
    ]
    figures = [msgspec.json.decode(record.details) or {} for record in made]
    requests, retries = (sum(of.get(name, 0) for of in figures) for name in ("requests", "retries"))
    show_cost(took, requests, retries)
    out.print("Next: trackly-sync reconcile" if requests else "Next: trackly-sync status")


def _alarms(settings: Settings) -> list[str]:
    from pipelines.push.alarms import open_alarms  # noqa: PLC0415 - help answers at once

    return [f"{one.text}. {one.remedy}" for one in open_alarms(settings)]


def left_out(settings: Settings, outcomes: "dict[str, Outcomes]") -> int:
    """3 where more rows were left out than the limit allows, else 0."""
    rows = sum(counts.rows_in for counts in outcomes.values())
    left = sum(counts.left_out for counts in outcomes.values())
    if left <= settings.push_left_out_share * rows:
        return 0
    tell(
        f"{left:,} of {rows:,} rows were left out, more than TRACKLY_PUSH_LEFT_OUT_SHARE="
        f"{settings.push_left_out_share:g} allows."
    )
    return LEFT_OUT


def unsettled(found: "Unsettled") -> int:
    """3 where revenue waits to be settled, or is perhaps there twice, else 0."""
    if found.alarms:
        tell("Revenue turned up after it was called absent, so no more is sent: trackly-sync resolve")
        return LEFT_OUT
    if found.waiting:
        tell(
            f"{found.waiting:,} rows of revenue wait to be settled: push again in {duration(found.seconds)}."
            " Nothing is sent twice."
        )
        return LEFT_OUT
    return 0


def _show_plans(plans: "dict[str, Plan]", as_json: bool) -> None:
    if as_json:
        show_json({name: _plan_json(plan) for name, plan in plans.items()})
        return
    for name, plan in plans.items():
        found = plan.intake
        out.print(
            f"[bold]{name}[/]: {found.rows_in:,} rows in "
            f"{for_terminal(', '.join(path.name for path in found.files))}"
        )
        out.print(
            f"  {found.pending:,} to send in {plan.chunks:,} requests ({plan.bytes / 1e6:,.1f} MB), "
            f"{found.known:,} known already"
        )
        if plan.chunks:
            basis = "as earlier calls took" if plan.measured else "a guess, until a first call was made"
            out.print(f"  about {_duration(plan.seconds)}, at {plan.call_seconds:.2f} s a request ({basis})")
        for reason, count in found.reasons.items():
            out.print(f"  {count:,} {plain(reason)}", markup=False)
        if plan.first_payload:
            out.print(f"  first request begins: {plain(plan.first_payload[:160])}", markup=False)
    out.print("\nNothing was sent. To send it: trackly-sync push")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{minutes} min"
        if minutes < 100
        else f"{minutes / 60:.1f} h"
    )


def _plan_json(plan: "Plan") -> dict[str, object]:
    found = plan.intake
    names = ("rows_in", "pending", "known", "duplicate", "quarantined", "parked", "reasons")
    return {
        **{name: getattr(found, name) for name in names},
        "files": [str(path) for path in found.files],
        "requests": plan.chunks,
        "bytes": plan.bytes,
        "seconds": round(plan.seconds, 1),
        "seconds_measured": plan.measured,
    }
