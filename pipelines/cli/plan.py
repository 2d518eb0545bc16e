"""What `trackly-sync push --dry-run` shows: each file, how it is read, and what becomes of its rows.

What does not belong here: making the plan (`pipelines.push.plan`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pipelines.cli.show import show_json
from pipelines.cli.terminal import out
from pipelines.spans import plural
from pipelines.text import plain

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.push.file_findings import Example, FoundFile, Group
    from pipelines.push.files.find import Unread
    from pipelines.push.plan import Plan

_WIDTH = 80
_UNCHECKED = (
    "Whether the account has these {0} was not checked, since none were pulled: trackly-sync pull {0}"
)
_REFERENCES = {"sends": "lists", "clicks": "offers", "revenue": "offers"}


def show_plans(
    plans: "Mapping[str, Plan]", unread: "Sequence[Unread]", *, as_json: bool, show_values: bool
) -> None:
    """Print plans for a person, within 80 columns, or as one JSON document."""
    if as_json:
        show_json(
            {
                name: _document(plan, [one for one in unread if one.dataset == name])
                for name, plan in plans.items()
            }
        )
        return
    for name, plan in plans.items():
        for line in _of_dataset(name, plan, show_values=show_values):
            out.print(line, markup=False)
        out.print()
    if unread:
        out.print("Not read, which stops a push (--ignore-unread goes on without them):", markup=False)
        for file in unread:
            _print(f"{file.path.name} {file.why}", "  ")
        out.print()
    if not show_values:
        out.print("Values are masked (letters x, digits 9); --show-values shows them.", markup=False)
    out.print("Nothing was sent. To send it: trackly-sync push", markup=False)


def _print(text: str, indent: str) -> None:
    for line in _lines(text, indent):
        out.print(line, markup=False)


def _lines(text: str, indent: str) -> Iterator[str]:
    yield from wrap(
        plain(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{' ' * len(indent)}  ",
        break_on_hyphens=False,
    )


def _of_dataset(name: str, plan: "Plan", *, show_values: bool) -> Iterator[str]:
    found = plan.intake
    yield f"{name}: {plural(found.rows_in, 'row')} in {plural(len(found.files), 'file')}"
    yield from _lines(
        f"{found.pending:,} to send in {plural(plan.chunks, 'request')} ({plan.bytes / 1e6:,.1f} MB), "
        f"{found.known:,} known already, {found.duplicate:,} duplicate, {found.quarantined:,} quarantined, "
        f"{found.parked:,} parked",
        "  ",
    )
    if plan.chunks:
        basis = "as earlier calls took" if plan.measured else "a guess, until a first call was made"
        yield from _lines(
            f"about {_duration(plan.seconds)}, at {plan.call_seconds:.2f} s a request ({basis})", "  "
        )
    if plan.differing or plan.acknowledged:
        rows = plan.differing + plan.acknowledged
        seen = f" ({plan.acknowledged:,} acknowledged)" if plan.acknowledged else ""
        yield from _lines(
            f"{plural(rows, 'row differs', 'rows differ')} from what was sent{seen}; "
            "the account keeps what it has",
            "  ",
        )
    if plan.unchecked and found.rows_in:
        yield from _lines(_UNCHECKED.format(_REFERENCES[name]), "  ! ")
    for advice in found.advice:
        yield from _lines(advice, "  ! ")
    for file in plan.files:
        yield from _of_file(file)
    if plan.first_payload and show_values:
        yield from _lines(f"first request begins: {plan.first_payload[:160]}", "  ")


def _of_file(file: "FoundFile") -> Iterator[str]:
    read = [file.format, *([file.compression] if file.compression not in ("", "none") else [])]
    how = ", ".join(part for part in (*read, file.encoding, file.dialect) if part)
    yield from _lines(f"{file.path.name}: {plural(file.rows, 'row')} ({how})", "  ")
    if file.first and file.last:
        yield from _lines(f"from {_time(file.first)} to {_time(file.last)}", "    ")
    if file.zone_assumed:
        yield from _lines(
            f"{plural(file.zone_assumed, 'row has', 'rows have')} times without a zone, taken for UTC", "    "
        )
    if file.ignored:
        yield from _lines(f"columns that are not sent: {', '.join(file.ignored)}", "    ")
    for note in file.notes:
        yield from _lines(note, "    ")
    yield from _lines(
        ", ".join(f"{rows:,} {outcome}" for outcome, rows in file.outcomes.items()) or "no rows", "    "
    )
    for group in file.groups:
        yield from _of_group(group)


def _of_group(group: "Group") -> Iterator[str]:
    yield from _lines(f"{group.rows:,} {group.outcome}: {group.reason}", "    ")
    for example in group.examples:
        yield from _lines(_of_example(example), "      ")
    if group.examples and group.rows > len(group.examples):
        yield f"      and {group.rows - len(group.examples):,} more: --json has all"


def _of_example(example: "Example") -> str:
    place = f"line {example.line:,}" if example.line is not None else f"row {example.row:,}"
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
