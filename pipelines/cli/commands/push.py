"""`trackly-sync push`."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipelines.cli.commands.push_dry_run import exit_code, is_over, show_plans
from pipelines.cli.shared.arguments import AsJson, Quiet, chosen, dataset_names
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.progress import progress
from pipelines.cli.terminal.results import (
    differing_notes,
    push_notes,
    show_cost,
    show_json,
    show_notes,
    show_pushed,
)
from pipelines.errors import UsageError
from pipelines.logs import run_id
from pipelines.process import exit_codes
from pipelines.run_records.summary import Run
from pipelines.runs import records_of
from pipelines.settings import Settings, load_settings
from pipelines.text.humanize import duration, plural
from pipelines.text.sanitize import plain
from schemas.registry import PUSHED
from schemas.values.outcomes import LEFT_OUT

if TYPE_CHECKING:
    from pipelines.push.checks.compare import Period
    from pipelines.push.checks.revenue.same_rows import Decision
    from pipelines.push.intake.found import Intake
    from pipelines.push.outcomes import Outcomes
    from pipelines.push.plan import Showing
    from pipelines.push.revenue.loop import Unsettled
    from pipelines.push.run import PushReport

_REASONS_SHOWN = 3
_PUSHES = [f"push {name}" for name in PUSHED]


@guarded
def push(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="sends, clicks, revenue; by default all.",
            metavar="DATASET",
            autocompletion=dataset_names(PUSHED),
        ),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="A file or folder instead of TRACKLY_HISTORY_DIR; may be given several times."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the plan, and the exit code that a push would end with; send nothing, record nothing.",
        ),
    ] = False,
    month: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM",
            help="Send only rows of this month, by their own timestamp; the others stay pending. The counts and "
            "the exit code are those of the month.",
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
    same_rows_count: Annotated[
        bool,
        typer.Option(
            "--same-rows-count",
            help="Held revenue that may be there twice: they are separate sales, send them.",
        ),
    ] = False,
    same_rows_once: Annotated[
        bool,
        typer.Option(
            "--same-rows-once", help="Held revenue that may be there twice: they are one sale, leave them."
        ),
    ] = False,
    reason: Annotated[
        str, typer.Option(help="Why --same-rows-count or --same-rows-once; kept in the ledger.")
    ] = "",
    show_values: Annotated[
        bool,
        typer.Option("--show-values", help="With --dry-run: values as they are, which are personal data."),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Send history that is not in the account yet; running it again sends nothing twice.

    Examples:
    - `trackly-sync push --dry-run`: what would be sent, and what not and why.
    - `trackly-sync push`: everything in the history folder: sends, then clicks and revenue.
    - `trackly-sync push sends --from export/sends.csv`: one file.
    - `trackly-sync push --month 2026-10`: one month of years, to begin with.
    - `trackly-sync push --same-rows-once --reason "exports overlap"`: held revenue is one sale.

    Stop it at any time and run it again. Exit code 3: done, but rows were left out (TRACKLY_PUSH_LEFT_OUT_SHARE) or
    differ from what was sent earlier; or revenue waits to be settled, or is perhaps there twice.
    """
    names = chosen(datasets, PUSHED)
    _check_partners(dry_run=dry_run, show_values=show_values, retry_rejected=retry_rejected)
    between = _month(month, dry_run=dry_run)
    settings = load_settings()
    if not dry_run:
        settings.require_key()
    from pipelines.push import run  # noqa: PLC0415 - help answers at once

    decision = _decision(same_rows_count, same_rows_once, reason)
    started = time.monotonic()
    with progress("plan" if dry_run else "push", quiet=quiet or as_json) as report:
        if dry_run:
            planned = run.plan(settings, names, source, report, decision, _showing(as_json, show_values))
        else:
            done = run.push(
                settings,
                names,
                source,
                ignore_unread=ignore_unread,
                decision=decision,
                retry_rejected=retry_rejected,
                between=between,
                wait=not no_wait,
                on_progress=report,
            )
    if dry_run:
        _tell_undecided(decision, (plan.intake for plan in planned.plans.values()))
        ending = partial(exit_code, share=settings.push_left_out_share, ignore_unread=ignore_unread)
        show_plans(planned.plans, planned.unread, ending, as_json=as_json, show_values=show_values)
        return 0
    _tell_undecided(decision, done.intakes.values())
    if between:
        done = _of_period(settings, done, between)
    took = time.monotonic() - started
    return _ended(settings, done, took, month, as_json=as_json)


def _of_period(settings: Settings, done: "PushReport", between: "Period") -> "PushReport":
    """The report of a push, with the outcomes of the rows of a time alone.

    Raises:
        StorageError: a stage or the warehouse cannot be read.
    """
    from pipelines.push.audit.months import outcomes_between  # noqa: PLC0415 - help answers at once
    from pipelines.push.outcomes import Outcomes  # noqa: PLC0415 - the same

    found = {name: outcomes_between(settings, name, between) for name in done.intakes}
    return replace(
        done,
        outcomes={name: Outcomes.of(sum(counts.values()), counts) for name, (counts, _) in found.items()},
        differing={name: differs for name, (_, differs) in found.items()},
        reasons={},  # these are of the whole input
    )


def _ended(settings: Settings, done: "PushReport", took: float, month: str | None, *, as_json: bool) -> int:
    """Show what a push did; returns the exit code.

    Args:
        settings: the limit of rows that are left out.
        done: what the push did; of a month, with the month's outcomes.
        took: seconds.
        month: the month that was pushed, such as 2026-10.
        as_json: for programs.
    """
    if as_json:
        differ = {"differs": done.differing} if any(done.differing.values()) else {}
        show_json({name: asdict(counts) for name, counts in done.outcomes.items()} | differ)
    else:
        _show_done(settings, done, took, month)
    return unsettled(done.unsettled) or left_out(settings, done.outcomes, done.differing)


def _decision(count: bool, once: bool, reason: str) -> "Decision | None":
    """What was decided about held revenue.

    Raises:
        UsageError: both, or no reason.
    """
    from pipelines.push.checks.revenue.same_rows import Choice, Decision  # noqa: PLC0415 - help answers at once

    if count and once:
        raise UsageError("--same-rows-count and --same-rows-once exclude each other.", "Leave one out.")
    if not (count or once):
        if reason:
            raise UsageError("--reason is for --same-rows-count and --same-rows-once.", "Leave it out.")
        return None
    if not reason.strip():
        raise UsageError(
            "A decision needs a reason, which is kept with it.",
            'Add, for example, --reason "the exports overlap".',
        )
    return Decision(Choice.COUNT if count else Choice.ONCE, reason.strip())


def _tell_undecided(decision: "Decision | None", intakes: "Iterable[Intake]") -> None:
    """A decision that found nothing to decide about is not kept, and must not look as if it were."""
    if decision and not any(intake.decided for intake in intakes):
        tell(
            "Nothing was decided: no row of revenue in this input is held for it. A row that stands in several files"
            " is held where all of them are pushed together, or one after the other: the first is sent."
        )


def _check_partners(*, dry_run: bool, show_values: bool, retry_rejected: bool) -> None:
    """See that what changes a plan is with one: who forgot --dry-run wants to look, and must not send.

    Raises:
        UsageError: it is not, or a plan is asked for that would differ from the push.
    """
    if show_values and not dry_run:
        raise UsageError(
            "--show-values is for --dry-run; without it, everything would be sent.",
            "Add --dry-run, or leave --show-values out.",
        )
    if retry_rejected and dry_run:
        raise UsageError("--dry-run plans without the rows of --retry-rejected.", "Leave one out.")


def _showing(as_json: bool, show_values: bool) -> "Showing":
    from pipelines.push.plan import EXAMPLES, Showing  # noqa: PLC0415 - help answers at once

    return Showing(None if as_json else EXAMPLES, masked=not show_values)


def _month(name: str | None, *, dry_run: bool) -> "Period | None":
    """From its first moment to that of the next month, UTC; None where no month was asked for.

    Raises:
        UsageError: it is no month, or of a plan.
    """
    if name is None:
        return None
    if dry_run:
        raise UsageError("--dry-run plans all of the input.", "Leave --month out.")
    try:
        first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{name!r} is not a month.", "Write it as --month 2026-10.") from None
    return first, (first + timedelta(days=31)).replace(day=1)


def _show_done(settings: Settings, done: "PushReport", took: float, month: str | None) -> None:
    show_pushed(done.outcomes, f"imports of {month}" if month else "imports")
    advice = [line for found in done.intakes.values() for line in found.advice]
    differ = differing_notes(done.differing)
    show_notes("Needs attention", [*_alarms(settings), *push_notes(done.outcomes), *differ, *advice])
    _show_reasons(done.reasons)
    this_run = Run(str(run_id.get()), records_of(settings.data_dir, str(run_id.get()), _PUSHES))
    out.print(f"\nThis run: {this_run.figures or '0 sent'}.", markup=False)
    show_cost(took, *_requests(this_run))
    out.print("Next: trackly-sync reconcile" if this_run.sent else "Next: trackly-sync status")


def _show_reasons(by_dataset: Mapping[str, Mapping[str, int]]) -> None:
    for name, reasons in by_dataset.items():
        why = [(reason, rows) for reason, rows in reasons.items() if reason.startswith(LEFT_OUT)]
        for reason, rows in why[:_REASONS_SHOWN]:
            out.print(f"    {name}: {rows:,} {plain(reason)}", markup=False)


def _requests(run: Run) -> tuple[int, int]:
    """Requests and retries of a run."""
    figures = [msgspec.json.decode(record.details) or {} for record in run.activities]
    return sum(of.get("requests", 0) for of in figures), sum(of.get("retries", 0) for of in figures)


def _alarms(settings: Settings) -> list[str]:
    from pipelines.push.audit.late_revenue import open_alarms  # noqa: PLC0415 - help answers at once

    return [f"{one.text}. {one.remedy}" for one in open_alarms(settings)]


def left_out(
    settings: Settings, outcomes: "dict[str, Outcomes]", differing: Mapping[str, int] | None = None
) -> int:
    """3 where more rows were left out, or differ from what was sent, than the limit allows; else 0.

    Args:
        settings: the limit, as a share of the input from 0 to 1.
        outcomes: by dataset, those of the current input.
        differing: by dataset, how many rows differ from what was sent.
    """
    rows = sum(counts.rows_in for counts in outcomes.values())
    left = sum(counts.left_out for counts in outcomes.values())
    differ = sum((differing or {}).values())
    if not is_over(settings.push_left_out_share, rows, left, differ):
        return 0
    other = f", {plural(differ, 'differs', 'differ')} from what was sent" if differ else ""
    tell(
        f"{left:,} of {plural(rows, 'row was', 'rows were')} left out{other}: more than TRACKLY_PUSH_LEFT_OUT_SHARE="
        f"{settings.push_left_out_share:g} allows."
    )
    return exit_codes.LEFT_OUT


def unsettled(found: "Unsettled") -> int:
    """3 where revenue waits to be settled, or is perhaps there twice, else 0."""
    if found.alarms:
        tell("Revenue turned up after it was called absent, so no more is sent: trackly-sync resolve")
        return exit_codes.LEFT_OUT
    if found.waiting:
        tell(
            f"{plural(found.waiting, 'row')} of revenue to be settled: push again in {duration(found.seconds)}."
            " Nothing is sent twice."
        )
        return exit_codes.LEFT_OUT
    return 0
