"""The lists of `trackly-sync resolve`: rows in doubt, rows that differ from what was sent, and what is to be seen to.

That is alarms, and what `reconcile` found. What does not belong here: deciding what is listed (`resolve`).
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from pipelines.cli.shared.attention import ledger_notes
from pipelines.cli.terminal.consoles import cell, out, tell
from pipelines.cli.terminal.results import show_json
from pipelines.settings import Settings
from pipelines.text.humanize import form, money, plural
from pipelines.text.sanitize import plain
from schemas.values.money import amount_of

if TYPE_CHECKING:
    from pipelines.push.checks.differing_rows import DifferingRow
    from pipelines.push.ledger.db.figures import Named
    from pipelines.push.resolve import Doubt

_MOST_SHOWN = 20


def list_doubts(settings: Settings, as_json: bool, *, masked: bool) -> int:
    """List the alarms, what the last reconciliation found perhaps there twice, and the rows in doubt.

    Args:
        settings: where the ledger and the stages lie.
        as_json: as a document; without what comes before them, which `status --json` has.
        masked: whether keys that look like personal data are masked.
    """
    from pipelines.push.audit.late_revenue import open_alarms  # noqa: PLC0415 - keeps help fast
    from pipelines.push.resolve import in_doubt  # noqa: PLC0415 - the same

    if not as_json:
        for one in open_alarms(settings):
            _show_open(f"Alarm {one.alarm.alarm}", one.text, one.rows, one.remedy, masked=masked)
        _show_found(settings, masked=masked)
    found = in_doubt(settings)
    _show([_masked(one) if masked else one for one in found], as_json)
    for note in ledger_notes(settings):
        tell(note)
    return 0


def list_differing(settings: Settings, names: Sequence[str], as_json: bool, *, masked: bool) -> int:
    """List the rows that were changed in their file since they were sent, as of the last push.

    Args:
        settings: where the stages lie.
        names: of datasets.
        as_json: as a document.
        masked: whether keys that look like personal data are masked.
    """
    from pipelines.push.resolve import differing_rows  # noqa: PLC0415 - keeps help fast

    found = [
        replace(one, identity=listed_key(one.identity, masked=masked))
        for one in differing_rows(settings, names)
    ]
    if as_json:
        show_json([asdict(place) for place in found])
        return 0
    _show_differing(found)
    return 0


def _masked(doubt: "Doubt") -> "Doubt":
    identity, message_id = (listed_key(text, masked=True) for text in (doubt.identity, doubt.message_id))
    return replace(doubt, identity=identity, message_id=message_id)


def listed_key(text: str, *, masked: bool) -> str:
    """Return a key as lists show it."""
    from pipelines.push.findings.values import shown_key  # noqa: PLC0415 - keeps help fast

    return shown_key(text, masked=masked) or ""


def _show_differing(found: "Sequence[DifferingRow]") -> None:
    if not found:
        out.print("No row of the last push differs from what was sent.")
        return
    table = Table("dataset", "row", "file", box=None, pad_edge=False, header_style="bold")
    table.add_column("line or row", justify="right")
    table.add_column("differs in")
    table.add_column("")
    for place in found[:_MOST_SHOWN]:
        number = place.row if place.line is None else place.line
        table.add_row(
            place.dataset,
            cell(place.identity),
            cell(Path(place.file).name),
            f"{number}",
            ", ".join(place.fields),
            "acknowledged" if place.acknowledged else "",
        )
    out.print(table)
    if len(found) > _MOST_SHOWN:
        out.print(f"... and {len(found) - _MOST_SHOWN:,} more: trackly-sync resolve --differs --json")
    out.print(
        "\nThe account keeps what was sent. To acknowledge these rows: trackly-sync resolve --differs --reason '...'",
        markup=False,
    )


def _show_found(settings: Settings, *, masked: bool) -> None:
    from pipelines.push.audit.found_twice import (  # noqa: PLC0415 - keeps help fast
        condition,
        found_twice,
        rows_found_twice,
    )

    found = condition(found_twice(settings))
    if found.firing:
        _show_open("Found by reconcile", found.text, rows_found_twice(settings), found.remedy, masked=masked)


def _show_open(title: str, text: str, rows: "Sequence[Named]", remedy: str, *, masked: bool) -> None:
    out.print(f"[bold red]{title}[/]  {escape(plain(text))}.")
    table = Table("row", "contact", box=None, pad_edge=False, header_style="bold")
    table.add_column("amount", justify="right")
    table.add_column("call", justify="right")
    table.add_column("sent at")
    for row in rows[:_MOST_SHOWN]:
        at = row.sent_at[:19].replace("T", " ")
        amount = money(amount_of(row.amount))
        who, contact = (listed_key(text, masked=masked) for text in (row.identity, row.contact))
        table.add_row(cell(who), cell(contact), amount, str(row.chunk), at)
    out.print(table)
    if len(rows) > _MOST_SHOWN:
        out.print(f"... and {len(rows) - _MOST_SHOWN:,} more")
    if masked:
        out.print("Contacts are masked (letters x, digits 9); to look them up: --show-values", markup=False)
    out.print(f"  → {remedy}\n", markup=False)


def _show(found: "list[Doubt]", as_json: bool) -> None:
    if as_json:
        show_json([_json(doubt) for doubt in found])
        return
    if not found:
        out.print("No row is in doubt.")
        return
    out.print(_table(found[:_MOST_SHOWN]))
    _show_rest(found)
    for evidence in dict.fromkeys(f"{doubt.code}: {doubt.evidence}" for doubt in found[:_MOST_SHOWN]):
        out.print(plain(evidence), markup=False)
    from pipelines.push.outcomes import UNSETTLED  # noqa: PLC0415 - keeps help fast

    waiting = sum(doubt.code in UNSETTLED for doubt in found)
    if waiting:
        out.print(
            "\nNot settled yet: trackly-sync push revenue reads the contacts' totals and settles what they show"
            f" (code {' or '.join(UNSETTLED)})."
        )
    if waiting < len(found):
        out.print(
            f"\n{plural(len(found) - waiting, 'row')} for a person, since no push settles"
            f" {form(len(found) - waiting, 'it', 'them')}. Look in Trackly whether the contact of the send has the"
            " amount, after a pull with the query of docs/operations.md. pending sends a row again: say it only of"
            " one that is not there. No reading contradicts a wrong accepted if the contact gets other revenue of the"
            " same amount before it: say it only of one that you have seen."
        )
    out.print(
        "\nTo settle by hand: trackly-sync resolve ROW --as accepted|pending|rejected --reason '...'",
        markup=False,
    )


def _show_rest(found: "list[Doubt]") -> None:
    """Show how many rows the table leaves out, and how many of all rows are not in the input."""
    if len(found) > _MOST_SHOWN:
        out.print(f"... and {len(found) - _MOST_SHOWN:,} more: trackly-sync resolve --json")
    if outside := sum(not doubt.in_input for doubt in found):
        out.print(f"{outside:,} of {len(found):,} not in the current input, or quarantined there")
    out.print()


def _json(doubt: "Doubt") -> dict[str, object]:
    return {**asdict(doubt), "amount": None if doubt.amount is None else str(doubt.amount)}


def _table(found: "list[Doubt]") -> Table:
    table = Table("row", "send", box=None, pad_edge=False, header_style="bold")
    for title in ("amount", "call"):
        table.add_column(title, justify="right")
    for title in ("sent at", "code"):
        table.add_column(title)
    for doubt in found:
        table.add_row(
            cell(doubt.identity),
            cell(doubt.message_id),
            "unknown" if doubt.amount is None else money(doubt.amount),
            str(doubt.chunk),
            doubt.sent_at[:19].replace("T", " "),
            doubt.code,
        )
    return table
