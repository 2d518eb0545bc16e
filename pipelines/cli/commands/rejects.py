"""`trackly-sync rejects`: every row that was left out, and why."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipelines.cli.shared.arguments import AsJson, chosen, dataset_names
from pipelines.cli.shared.attention import ledger_notes
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import cell, out, tell
from pipelines.cli.terminal.results import doubt_notes
from pipelines.cli.terminal.row_stream import AsCsv, one_form, write_rows
from pipelines.settings import Settings, load_settings
from pipelines.text.humanize import plural
from pipelines.text.sanitize import for_terminal
from schemas.registry import PULLED, PUSHED

if TYPE_CHECKING:
    from pipelines.warehouse.left_out import LeftOut, Reason

_ROWS_SHOWN = 10
_REASONS_SHOWN = 15
_NAMES = tuple(dict.fromkeys((*PUSHED, *PULLED)))
_NEXT = {
    "push rejected": "fix the rows and push, or try the same ones again: trackly-sync push --retry-rejected",
    "push quarantined": "fix the files, then: trackly-sync push",
    "pull quarantined": "correct them in Trackly, then: trackly-sync pull; after an update: trackly-sync replay",
    "push parked": "by their reason: where the send is still to be sent: trackly-sync push; where it is not in the "
    "account: add it to the history, then push; others wait for a decision",
    "push differs": "the account keeps what it has; put the rows back as they were sent, or acknowledge them: "
    "trackly-sync resolve --differs",
    "push in_doubt": "trackly-sync resolve: which of them the next push settles, and which only you can",
}


class LeftOutAs(StrEnum):
    """The outcomes of rows that were left out, and two further values of --outcome."""

    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    PARKED = "parked"
    IN_DOUBT = "in_doubt"
    CONFLICT = "conflict"
    DIFFERS = "differs"


@guarded
def rejects(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            help="sends, clicks, revenue, or contacts, lists, offers, creatives and so on; by default all.",
            metavar="DATASET",
            autocompletion=dataset_names(_NAMES),
        ),
    ] = None,
    outcome: Annotated[
        list[LeftOutAs] | None,
        typer.Option(
            metavar="OUTCOME",
            help="Only rejected, quarantined, parked, in_doubt, conflict or differs; may be given several times.",
        ),
    ] = None,
    show_values: Annotated[
        bool,
        typer.Option(
            "--show-values", help="Values as they are, which are personal data, not only their form."
        ),
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """List rows that were left out (rejected, quarantined, parked or in doubt): a summary, then some rows.

    The list has rows of the current history input that a push left out or that differ from what was sent, and rows
    that a pull did not publish. Revenue can have both kinds. --csv and --json give all rows. Values are masked:
    letters are shown as x, digits as 9. Keys are masked if they look like a phone number or an e-mail address, or
    have spaces. --show-values shows the values, and the raw text of the rows.

    Examples:
    - `trackly-sync rejects`: the number of rows for each reason.
    - `trackly-sync rejects sends --outcome rejected --csv > rejected.csv`: each row, with its place in the files.
    """
    one_form(as_json=as_json, as_csv=as_csv)
    names = chosen(datasets, _NAMES)
    settings = load_settings()
    from pipelines.warehouse.left_out import COLUMNS, OUTCOMES, left_out  # noqa: PLC0415 - keeps help fast

    outcomes = [str(one) for one in outcome or OUTCOMES]
    pulled, pushed = [n for n in names if n in PULLED], [n for n in names if n in PUSHED]
    with left_out(settings.warehouse, pulled, pushed, outcomes) as found:
        if as_json or as_csv:
            rows = _with_values(found.rows(), show_values=show_values)
            write_rows(_columns(COLUMNS), rows, as_json=as_json, as_csv=as_csv)
        else:
            _show(found, " ".join(datasets or ()), show_values=show_values)
        listed = found.of_pushes()
    _say_where_else(settings, pushed, outcomes)
    _say_if_old(settings, pushed, outcomes, listed)
    return 0


def _columns(names: Sequence[str]) -> list[str]:
    """Return the columns to show: the values that caused a row to be left out come before the row's record."""
    return [*(name for name in names if name not in ("message_id", "raw")), "value", "raw"]


def _with_values(rows: Iterable[tuple[Any, ...]], *, show_values: bool) -> Iterator[list[Any]]:
    """Yield rows with the columns of `_columns`."""
    from pipelines.push.findings.values import offending, shown_key  # noqa: PLC0415 - keeps help fast
    from pipelines.warehouse.left_out import COLUMNS  # noqa: PLC0415 - the same

    columns = {name: dataset.columns for name, dataset in {**PULLED, **PUSHED}.items()}
    for values in rows:
        row = dict(zip(COLUMNS, values, strict=True))
        message_id, raw = row.pop("message_id"), row.pop("raw")
        own = PULLED[row["dataset"]].columns if row["activity"] == "pull" else columns[row["dataset"]]
        record = _record(raw, message_id)
        about = offending(row["reason"] or "", record, own, row["code"] or "", masked=not show_values)
        value = "; ".join(f"{name}: {text}" for name, text in about.items()) or None
        row["identity"] = shown_key(row["identity"], masked=not show_values)
        yield [*row.values(), value, raw if show_values else None]


def _record(raw: str | None, message_id: str | None) -> str | None:
    """Return the record of a row as JSON; for a row that is not kept, at least its message id."""
    return raw if raw or message_id is None else json.dumps({"message_id": message_id})


def _show(found: "LeftOut", asked: str, *, show_values: bool) -> None:
    from pipelines.warehouse.left_out import COLUMNS  # noqa: PLC0415 - keeps help fast

    counts = found.counts
    if not counts:
        out.print("No row was left out.")
        return
    total = sum(counts.values())
    reasons = found.reasons(_REASONS_SHOWN)
    out.print(_summary(reasons))
    if others := total - sum(reason.rows for reason in reasons):
        out.print(f"... and {plural(others, 'row')} for other reasons")
    names = _columns(COLUMNS)
    rows = _with_values(found.rows(_ROWS_SHOWN), show_values=show_values)
    shown = [dict(zip(names, row, strict=True)) for row in rows]
    out.print(
        f"\n[bold]{plural(total, 'row') if total <= _ROWS_SHOWN else f'The first {_ROWS_SHOWN} of {total:,} rows'}[/]"
    )
    for row in shown:
        _show_row(row)
    _show_next(counts, asked, show_values=show_values)


def _show_row(row: Mapping[str, Any]) -> None:
    at = row["identity"] or (f"page {row['page']}" if row["page"] is not None else "-")
    call = f", call {row['chunk']}" if row["chunk"] is not None else ""
    why = ": ".join(filter(None, (row["code"], row["reason"])))
    out.print(f"  {row['dataset']} {for_terminal(at)}  [yellow]{row['outcome']}[/]  {for_terminal(why)}")
    out.print(f"    [dim]{for_terminal(_place(row))}{call}[/]")
    if row["value"]:
        out.print(f"    {for_terminal(row['value'])}")


def _show_next(counts: Iterable[tuple[str, str]], asked: str, *, show_values: bool) -> None:
    """Show the commands that list one activity and outcome, and all rows."""
    out.print("\n[bold]Next[/]")
    for activity, outcome in counts:
        out.print(f"  {outcome.replace('_', ' ')}: {_NEXT[f'{activity} {outcome}']}", markup=False)
    command = f"trackly-sync rejects {asked}".rstrip()
    out.print(f"  all rows: {command} --csv > rejects.csv (or --json)", markup=False)
    if not show_values:
        out.print("  values as they are, which are personal data: --show-values", markup=False)


def _place(row: Mapping[str, Any]) -> str:
    if not row["file"]:
        return f"pulled {datetime.fromisoformat(row['at']):%F %T} UTC" if row["snapshot"] else ""
    if row["line"] is not None:
        return f"{row['file']}, line {row['line']}"
    return row["file"] if row["row"] is None else f"{row['file']}, row {row['row']}"


def _summary(reasons: "list[Reason]") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rows", justify="right")
    for title in ("dataset", "outcome", "code", "reason"):
        table.add_column(title)
    for reason in reasons:
        table.add_row(
            f"{reason.rows:,}", f"{reason.activity} {reason.dataset}", reason.outcome, cell(reason.code),
            cell(reason.reason),
        )  # fmt: skip
    return table


def _say_where_else(settings: Settings, pushed: Collection[str], outcomes: Collection[str]) -> None:
    """Say where rows in doubt are listed that are not in the current input."""
    from pipelines.push.ledger.status import doubt_outside  # noqa: PLC0415 - keeps help fast

    if LeftOutAs.IN_DOUBT in outcomes:
        outside = {name: rows for name, rows in doubt_outside(settings).items() if name in pushed}
        for note in doubt_notes(outside):
            tell(note)


def _on_record(settings: Settings, pushed: Collection[str], outcomes: Collection[str]) -> int:
    """Return how many rows the ledger has with these outcomes, including rows that differ from what was sent."""
    from pipelines.push.ledger.status import differing  # noqa: PLC0415 - keeps help fast
    from pipelines.push.ledger.status import outcomes as counted  # noqa: PLC0415 - the same

    found, differ = counted(settings), differing(settings)
    return sum(
        differ[name] if outcome == LeftOutAs.DIFFERS else getattr(found[name], outcome)
        for name in pushed
        for outcome in outcomes
    )


def _say_if_old(settings: Settings, pushed: Collection[str], outcomes: Collection[str], listed: int) -> None:
    """Say if schema imports is older than the ledger: a push that was killed did not write it.

    Args:
        settings: where the ledger lies.
        pushed: the datasets of the history that were asked for.
        outcomes: the outcomes of the list.
        listed: how many rows with these outcomes schema imports has.
    """
    if LeftOutAs.CONFLICT in outcomes:  # the ledger counts conflicts as quarantined
        return
    rows = _on_record(settings, pushed, outcomes)
    if rows == listed:
        return
    if notes := ledger_notes(settings):
        tell(notes[0])
    else:
        tell(
            f"The ledger has {plural(rows, 'such row')}, this list {listed:,}: the last push did not end. "
            "Push again."
        )
