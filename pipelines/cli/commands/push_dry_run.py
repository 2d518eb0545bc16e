"""Output of `trackly-sync push --dry-run`: each file, how it is read, and the outcomes of its rows.

What does not belong here: making the plan (`pipelines.push.plan`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.process.exit_codes import DONE, LEFT_OUT, USAGE
from pipelines.push.left_out_limit import is_over_limit
from pipelines.text.humanize import plural
from pipelines.text.sanitize import plain

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.push.files.find import Unread
    from pipelines.push.findings.files import Example, FoundFile, Group
    from pipelines.push.plan import Plan
    from pipelines.push.run import PlanReport

_WIDTH = 80
_UNCHECKED = (
    "Whether the account has these {0} was not checked, since none were pulled: trackly-sync pull {0}"
)
_REFERENCES = {"sends": "lists", "clicks": "offers", "revenue": "offers"}


def exit_code(
    plans: "Mapping[str, Plan]", unread: "Sequence[Unread]", share: float, *, ignore_unread: bool
) -> int:
    """Return the exit code that a push would end with, as far as it is known in advance.

    Args:
        plans: the plan of each dataset.
        unread: files of these datasets that would not be read.
        share: TRACKLY_PUSH_LEFT_OUT_SHARE.
        ignore_unread: whether the push would continue without these files.
    """
    if unread and not ignore_unread:
        return USAGE
    return LEFT_OUT if is_over_limit(*_sums(plans), share) else DONE


def show_plans(
    planned: "PlanReport",
    ending: "Callable[[Mapping[str, Plan], Sequence[Unread]], int]",
    month: str | None = None,
    *,
    as_json: bool,
    show_values: bool,
) -> None:
    """Print plans for a person, within 80 columns, or as one JSON document.

    Args:
        planned: the plans.
        ending: the exit code of a push of these plans (see `exit_code`).
        month: the month that was planned, such as 2026-10; None: all of the input.
        as_json: whether to print JSON.
        show_values: whether values are shown as they are.
    """
    if as_json:
        show_json(_documents(planned, ending, month))
        return
    plans, unread = planned.plans, planned.unread
    for name, plan in plans.items():
        for line in _of_dataset(f"{name} of {month}" if month else name, name, plan, show_values=show_values):
            out.print(line, markup=False)
        out.print()
    if unread:
        out.print("Not read, which stops a push (--ignore-unread goes on without them):", markup=False)
        for file in unread:
            _print(f"{file.path.name} {file.why}", "  ")
        out.print()
    if not show_values:
        out.print("Values are masked (letters x, digits 9); --show-values shows them.", markup=False)
    _print(_end(plans, ending(plans, unread)), "")
    out.print(_next(plans, f" --month {month}" if month else ""), markup=False)


def _documents(
    planned: "PlanReport", ending: "Callable[[Mapping[str, Plan], Sequence[Unread]], int]", month: str | None
) -> dict[str, Any]:
    found = {}
    for name, plan in planned.plans.items():
        unread = [one for one in planned.unread if one.dataset == name]
        of_month = {"month": month} if month else {}
        found[name] = {**_document(plan, unread), **of_month, "exit_code": ending({name: plan}, unread)}
    return found


def _next(plans: "Mapping[str, Plan]", option: str) -> str:
    pending = sum(file.outcomes.get("pending", 0) for plan in plans.values() for file in plan.files)
    return f"Nothing was sent. {f'To send it: trackly-sync push{option}' if pending else 'There is nothing to send.'}"


def _end(plans: "Mapping[str, Plan]", code: int) -> str:
    rows, left, differ = _sums(plans)
    why = {
        USAGE: ": files are not read",
        LEFT_OUT: f": {left:,} of {plural(rows, 'row')} left out, {differ:,} that differ from what was sent",
    }
    return f"A push would end with exit code {code}{why.get(code, '')}."


def _sums(plans: "Mapping[str, Plan]") -> tuple[int, int, int]:
    """Return the number of rows, of rows that would be left out, and of rows that differ from what was sent."""
    found = plans.values()
    return (
        sum(plan.intake.rows_in for plan in found),
        sum(plan.left_out for plan in found),
        sum(plan.differing for plan in found),
    )


def _print(text: str, indent: str) -> None:
    for line in _lines(text, indent):
        out.print(line, markup=False)


def _lines(text: str, indent: str) -> Iterator[str]:
    yield from wrap(
        plain(text),
        min(_WIDTH, out.width) if out.is_terminal else _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{' ' * len(indent)}  ",
        break_on_hyphens=False,
    )


def _of_dataset(title: str, name: str, plan: "Plan", *, show_values: bool) -> Iterator[str]:
    found = plan.intake
    yield f"{title}: {plural(found.rows_in, 'row')} in {plural(len(found.files), 'file')}"
    yield from _lines(
        f"{found.pending:,} to send in {plural(plan.chunks, 'request')} ({plan.bytes / 1e6:,.1f} MB), "
        f"{found.known:,} known already, {found.duplicate:,} duplicate, {found.quarantined:,} quarantined, "
        f"{found.parked:,} parked",
        "  ",
    )
    yield from _of_time(plan)
    yield from _of_differing(plan)
    if plan.unchecked and found.rows_in:
        yield from _lines(_UNCHECKED.format(_REFERENCES[name]), "  ! ")
    for advice in found.advice:
        yield from _lines(advice, "  ! ")
    for file in plan.files:
        yield from _of_file(file)
    if plan.first_payload and show_values:
        yield from _lines(f"first request begins: {plan.first_payload[:160]}", "  ")


def _of_time(plan: "Plan") -> Iterator[str]:
    if plan.chunks:
        basis = "as earlier calls took" if plan.measured else "a guess, until a first call was made"
        yield from _lines(
            f"about {_duration(plan.seconds)}, at {plan.call_seconds:.2f} s a request ({basis})", "  "
        )


def _of_differing(plan: "Plan") -> Iterator[str]:
    if rows := plan.differing + plan.acknowledged:
        seen = f" ({plan.acknowledged:,} acknowledged)" if plan.acknowledged else ""
        yield from _lines(
            f"{plural(rows, 'row differs', 'rows differ')} from what was sent{seen}; "
            "the account keeps what it has",
            "  ",
        )


def _of_file(file: "FoundFile") -> Iterator[str]:
    yield from _lines(f"{file.path.name}: {plural(file.rows, 'row')} ({_how_read(file)})", "  ")
    for note in _notes_of(file):
        yield from _lines(note, "    ")
    yield from _lines(
        ", ".join(f"{rows:,} {outcome}" for outcome, rows in file.outcomes.items()) or "no rows", "    "
    )
    for group in file.groups:
        yield from _of_group(group)


def _how_read(file: "FoundFile") -> str:
    compression = "" if file.compression == "none" else file.compression
    return ", ".join(filter(None, (file.format, compression, file.encoding, file.dialect)))


def _notes_of(file: "FoundFile") -> Iterator[str]:
    if file.first and file.last:
        yield f"from {_time(file.first)} to {_time(file.last)}"
    if file.zone_assumed:
        yield f"{plural(file.zone_assumed, 'row has', 'rows have')} times without a zone, taken for UTC"
    if file.ignored:
        yield f"columns that are not sent: {', '.join(file.ignored)}"
    yield from file.notes


def _of_group(group: "Group") -> Iterator[str]:
    yield from _lines(f"{group.rows:,} {group.outcome}: {group.reason}", "    ")
    for example in group.examples:
        yield from _lines(_of_example(example), "      ")
    if group.examples and group.rows > len(group.examples):
        yield f"      and {group.rows - len(group.examples):,} more: --json has all"


def _of_example(example: "Example") -> str:
    place = f"line {example.line}" if example.line is not None else f"row {example.row}"
    values = "".join(f", {name} {value!r}" for name, value in example.values.items())
    key = f" ({example.key})" if example.key else ""
    return f"{place}{key}{values}{f': {example.places}' if example.places else ''}"


def _time(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _document(plan: "Plan", unread: "Sequence[Unread]") -> dict[str, Any]:
    found = plan.intake
    names = ("rows_in", "pending", "known", "duplicate", "quarantined", "parked", "reasons")
    return {
        **{name: getattr(found, name) for name in names},
        "differs": plan.differing,
        "differs_acknowledged": plan.acknowledged,
        "files": [_file_document(file) for file in plan.files],
        "unread": [{"path": str(file.path), "why": file.why} for file in unread],
        "unchecked": list(plan.unchecked),
        "advice": list(found.advice),
        "requests": plan.chunks,
        "bytes": plan.bytes,
        "seconds": round(plan.seconds, 1),
        "seconds_measured": plan.measured,
    }


def _file_document(file: "FoundFile") -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in asdict(file).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
