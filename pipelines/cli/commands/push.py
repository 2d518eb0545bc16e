"""`trackly-sync push`."""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.commands.push_dry_run import exit_code, show_plans
from pipelines.cli.commands.push_results import of_period, show_push
from pipelines.cli.shared.arguments import AsJson, Quiet, chosen, dataset_names
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import tell
from pipelines.cli.terminal.progress import progress
from pipelines.errors import UsageError
from pipelines.settings import load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.exact import period_of_month
from schemas.registry import PUSHED

if TYPE_CHECKING:
    from pipelines.push.checks.compared import Period
    from pipelines.push.checks.revenue.same_rows import Decision
    from pipelines.push.intake.found import Intake
    from pipelines.push.plan import Showing


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
            "the exit code are those of the month, also with --dry-run.",
        ),
    ] = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Try rows again that the API rejected earlier.")
    ] = False,
    ignore_unread: Annotated[
        bool,
        typer.Option(
            "--ignore-unread", help="Continue without files that are named like a dataset but cannot be read."
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
            help="Held revenue that may be there twice: the rows are separate sales, send them.",
        ),
    ] = False,
    same_rows_once: Annotated[
        bool,
        typer.Option(
            "--same-rows-once",
            help="Held revenue that may be there twice: the rows are one sale, leave them.",
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
    """Send history that is not in the account yet; running the command again sends nothing twice.

    Examples:
    - `trackly-sync push --dry-run`: rows that would be sent, and rows that would not, with reasons.
    - `trackly-sync push`: everything in the history folder: sends, then clicks and revenue.
    - `trackly-sync push sends --from export/sends.csv`: one file.
    - `trackly-sync push --month 2026-10`: only one month, as a first step.
    - `trackly-sync push --same-rows-once --reason "exports overlap"`: held rows are the same sale.

    `--json` has the outcomes of the input by dataset, and `run`: rows that this push sent, found accepted and left
    out.

    You can stop a push at any time and run it again. Exit code 3: done, but rows were left out
    (TRACKLY_PUSH_LEFT_OUT_SHARE) or differ from the rows sent earlier; or revenue waits to be settled, or is perhaps
    there twice.
    """
    names = chosen(datasets, PUSHED)
    _check_partners(dry_run=dry_run, show_values=show_values, retry_rejected=retry_rejected)
    between = _month(month)
    settings = load_settings()
    refuse_misspelt()
    if not dry_run:
        settings.require_key()
    from pipelines.push import run  # noqa: PLC0415 - keeps help fast

    decision = _decision(same_rows_count, same_rows_once, reason)
    showing = _showing(between, as_json=as_json, show_values=show_values)
    started = time.monotonic()
    with progress("plan" if dry_run else "push", quiet=quiet or as_json) as report:
        if dry_run:
            planned = run.plan(settings, names, source, report, decision, showing)
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
        show_plans(planned, ending, month, as_json=as_json, show_values=show_values)
        return 0
    _tell_undecided(decision, done.intakes.values())
    if between:
        done = of_period(settings, done, between)
    took = time.monotonic() - started
    return show_push(settings, done, took, month, as_json=as_json)


def _decision(count: bool, once: bool, reason: str) -> "Decision | None":
    """Return the decision about held revenue; None without one.

    Raises:
        UsageError: both decisions were given, or no reason.
    """
    from pipelines.push.checks.revenue.same_rows import Choice, Decision  # noqa: PLC0415 - keeps help fast

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
    """Say that a decision was not kept, if no row was held."""
    if decision and not any(intake.decided for intake in intakes):
        tell(
            "Nothing was decided: no row of revenue in this input is held for it. A row that stands in several files"
            " is held where all of them are pushed together, or one after the other: the first is sent."
        )


def _check_partners(*, dry_run: bool, show_values: bool, retry_rejected: bool) -> None:
    """Check that options of a plan come with --dry-run: without it, a user who wanted to look would send.

    Raises:
        UsageError: they do not, or the plan would differ from the push.
    """
    if show_values and not dry_run:
        raise UsageError(
            "--show-values is for --dry-run; without it, everything would be sent.",
            "Add --dry-run, or leave --show-values out.",
        )
    if retry_rejected and dry_run:
        raise UsageError("--dry-run plans without the rows of --retry-rejected.", "Leave one out.")


def _showing(between: "Period | None", *, as_json: bool, show_values: bool) -> "Showing":
    from pipelines.push.plan import EXAMPLES, Showing  # noqa: PLC0415 - keeps help fast

    return Showing(None if as_json else EXAMPLES, masked=not show_values, between=between)


def _month(name: str | None) -> "Period | None":
    """Return the period from a month's first moment to that of the next month, UTC; None without a month.

    Raises:
        UsageError: the name is not a month.
    """
    if name is None:
        return None
    between = period_of_month(name)
    if between is None:
        raise UsageError(f"{name!r} is not a month.", "Write it as --month 2026-10.")
    return between
