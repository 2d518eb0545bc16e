"""Output and exit code of `trackly-sync push` after a push.

What does not belong here: the plan of a dry run (`push_dry_run`).
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.results import (
    differing_notes,
    push_notes,
    show_cost,
    show_json,
    show_notes,
    show_pushed,
)
from pipelines.logs import run_id
from pipelines.process import exit_codes
from pipelines.push.left_out_limit import is_over_limit
from pipelines.run_records.summary import Run
from pipelines.runs.recording import records_of
from pipelines.settings import Settings
from pipelines.text.humanize import duration, plural
from pipelines.text.sanitize import plain
from schemas.registry import PUSHED
from schemas.values.outcomes import LEFT_OUT

if TYPE_CHECKING:
    from pipelines.push.checks.compared import Period
    from pipelines.push.outcomes import Outcomes
    from pipelines.push.revenue.loop import Unsettled
    from pipelines.push.run import PushReport

_REASONS_SHOWN = 3
_PUSHES = [f"push {name}" for name in PUSHED]


def of_period(settings: Settings, done: "PushReport", between: "Period") -> "PushReport":
    """Return the report of a push with the outcomes of one period's rows only.

    Args:
        settings: where the stages and the warehouse lie.
        done: what the push did to the whole input.
        between: the time, from its first instant up to its second.

    Raises:
        StorageError: a stage or the warehouse cannot be read.
    """
    from pipelines.push.intake.months import outcomes_between  # noqa: PLC0415 - keeps help fast
    from pipelines.push.outcomes import Outcomes  # noqa: PLC0415 - the same

    found = {name: outcomes_between(settings, name, between) for name in done.intakes}
    return replace(
        done,
        outcomes={name: Outcomes.of(sum(counts.values()), counts) for name, (counts, _) in found.items()},
        differing={name: differs for name, (_, differs) in found.items()},
        reasons={},  # reasons are counted for the complete input only
    )


def show_push(
    settings: Settings, done: "PushReport", took: float, month: str | None, *, as_json: bool
) -> int:
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
        show_json(
            {name: asdict(counts) for name, counts in done.outcomes.items()}
            | differ
            | _run_json(settings, took)
        )
    else:
        _show_done(settings, done, took, month)
    return _unsettled_code(done.unsettled) or _left_out_code(settings, done)


def _this_run(settings: Settings) -> Run:
    run = str(run_id.get())
    return Run(run, records_of(settings.data_dir, run, _PUSHES))


def _run_json(settings: Settings, took: float) -> dict[str, dict[str, str | int | float]]:
    """Return the figures of this push, for `run` in the JSON document."""
    run = _this_run(settings)
    return {
        "run": {
            "id": run.run,
            "sent": run.sent,
            "accepted": run.accepted,
            "settled": run.settled,
            "settled_other_months": run.settled_other_months,
            "left_out": run.left_out,
            "pending": run.pending,
            "seconds": round(took, 3),
        }
    }


def _show_done(settings: Settings, done: "PushReport", took: float, month: str | None) -> None:
    if month and not any(counts.rows_in for counts in done.outcomes.values()):
        out.print(f"No row of the input is of {month}.")
    else:
        show_pushed(done.outcomes, f"imports of {month}" if month else "imports")
    advice = [line for found in done.intakes.values() for line in found.advice]
    differ = differing_notes(done.differing)
    show_notes("Needs attention", [*_alarms(settings), *push_notes(done.outcomes), *differ, *advice])
    _show_reasons(done.reasons)
    this_run = _this_run(settings)
    out.print(f"\n{_own_line(this_run, done.outcomes)}", markup=False)
    show_cost(took, *_requests(this_run))
    out.print("Next: trackly-sync reconcile" if this_run.sent else "Next: trackly-sync status")


def _own_line(this_run: Run, outcomes: "dict[str, Outcomes]") -> str:
    """Describe what the run did, and how many rows earlier runs left out, since the table counts those too."""
    earlier = sum(counts.left_out for counts in outcomes.values()) - this_run.left_out
    also = (
        f" Earlier ones left out {plural(earlier, 'row')} more, counted above as well." if earlier > 0 else ""
    )
    return f"This run: {this_run.figures or '0 sent'}.{also}"


def _show_reasons(by_dataset: Mapping[str, Mapping[str, int]]) -> None:
    for name, reasons in by_dataset.items():
        why = [(reason, rows) for reason, rows in reasons.items() if reason.startswith(LEFT_OUT)]
        for reason, rows in why[:_REASONS_SHOWN]:
            out.print(f"    {name}: {rows:,} {plain(reason)}", markup=False)


def _requests(run: Run) -> tuple[int, int]:
    """Return a run's requests and retries."""
    figures = [record.figures for record in run.activities]
    return sum(one.get("requests", 0) for one in figures), sum(one.get("retries", 0) for one in figures)


def _alarms(settings: Settings) -> list[str]:
    from pipelines.push.audit.late_revenue import open_alarms  # noqa: PLC0415 - keeps help fast

    return [f"{one.text}. {one.remedy}" for one in open_alarms(settings)]


def _left_out_code(settings: Settings, done: "PushReport") -> int:
    """Return 3 if more rows were left out, or differ from what was sent, than the limit allows; else 0."""
    rows = sum(counts.rows_in for counts in done.outcomes.values())
    left = sum(counts.left_out for counts in done.outcomes.values())
    differ = sum(done.differing.values())
    if not is_over_limit(rows, left, differ, settings.push_left_out_share):
        return 0
    other = f", {plural(differ, 'differs', 'differ')} from what was sent" if differ else ""
    tell(
        f"{left:,} of {plural(rows, 'row was', 'rows were')} left out{other}: more than TRACKLY_PUSH_LEFT_OUT_SHARE="
        f"{settings.push_left_out_share:g} allows."
    )
    return exit_codes.LEFT_OUT


def _unsettled_code(found: "Unsettled") -> int:
    """Return 3 if revenue waits to be settled, or is perhaps there twice; else 0."""
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
