"""`trackly-sync reconcile`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from pipelines.cli.shared.arguments import AsJson, Quiet
from pipelines.cli.shared.attention import found_twice_notes, ledger_notes
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.progress import progress
from pipelines.cli.terminal.results import show_json, show_notes
from pipelines.process.exit_codes import DONE, FAILED, LEFT_OUT
from pipelines.settings import load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import form, money, plural

if TYPE_CHECKING:
    from pipelines.push.audit.reconcile import Reconciliation

_MEANING = {
    "missing": "less than was accepted",
    "perhaps_twice": "more, as if a row that was sent again, or delivered twice, counts twice",
    "in_doubt": "more, which rows in doubt may explain: trackly-sync resolve",
    "contact_gone": "of a contact that left, or never was one",
    "more": "more, by other activity of the account",
}


@guarded
def reconcile(quiet: Quiet = False, as_json: AsJson = False) -> int:
    """Compare the accepted rows with the account's totals, contact by contact.

    The command reads every contact's totals, and compares them with the totals before the push plus the rows that the
    ledger has as accepted. Differences are kept in the table imports.differences. The verdict is "Agrees", or
    "Nothing to compare" if no row was accepted yet (`verdict` in --json). Revenue that was acknowledged as perhaps
    there twice, and is still there, is named (`still_twice` in --json), and so are calls that a gateway may have
    delivered twice (`repeated_calls`), until a person acknowledges them: `resolve --acknowledge reconcile`. Exit code
    1: revenue or clicks are missing, or the ledger was lost. Exit code 3: revenue is perhaps there twice, and no one
    has acknowledged it.

    Examples:
    - `trackly-sync reconcile`
    - `duckdb data/warehouse.duckdb "FROM imports.differences WHERE finding = 'missing'"`
    """
    settings = load_settings()
    refuse_misspelt()
    settings.require_key()
    from pipelines.push.audit.late_revenue import open_alarms  # noqa: PLC0415 - keeps help fast
    from pipelines.push.audit.reconcile import reconcile as run_reconcile  # noqa: PLC0415 - the same

    with progress("reconcile", quiet=quiet or as_json) as report:
        done = run_reconcile(settings, report)
    if as_json:
        show_json(_json(done))
    else:
        _show(done)
        alarms = [f"{one.text}. {one.remedy}" for one in open_alarms(settings)]
        show_notes("Needs attention", [*ledger_notes(settings), *alarms, *found_twice_notes(settings)])
    if not done.agrees:
        tell("What was accepted is not all there: FROM imports.differences WHERE finding = 'missing'")
        return FAILED
    if done.is_lost:
        tell("The ledger was lost, so not all that was accepted could be compared: trackly-sync status")
        return FAILED
    if done.twice:
        tell("Revenue is perhaps there twice: trackly-sync resolve, and FROM imports.differences")
        return LEFT_OUT
    return DONE


def _show(done: "Reconciliation") -> None:
    out.print(_table(done))
    seen = "" if done.complete else " (not every contact of the account could be read)"
    out.print(f"\n{plural(done.contacts, 'contact')} compared with their totals now{seen}.")
    for finding, count in done.findings.items():
        if count:
            out.print(f"  {plural(count, 'total')}: {_MEANING[finding]} ({finding})", markup=False)
    if done.missing:
        out.print(f"  [red]Revenue missing: {money(done.missing)}[/]")
    _show_twice(done)
    if doubts := sum(balance.in_doubt for balance in done.balances.values()):
        rows = f"{plural(doubts, 'row')} of revenue {form(doubts, 'is', 'are')} in doubt"
        out.print(f"  [yellow]{rows}, and not counted as accepted: trackly-sync resolve[/]")
    out.print(_conclusion(done))


def _show_twice(done: "Reconciliation") -> None:
    from pipelines.alerts.still_twice import (  # noqa: PLC0415 - keeps help fast
        STILL_TWICE_REMEDY,
        still_twice_text,
    )

    if done.still_twice:
        remedy = f". {STILL_TWICE_REMEDY}" if done.still_twice.contacts else ""
        out.print(f"  [yellow]{still_twice_text(done.still_twice.figures())}{remedy}[/]")


def _table(done: "Reconciliation") -> Table:
    table = Table("ledger", box=None, pad_edge=False, header_style="bold")
    for title in ("accepted", "acknowledged", "settled", "in doubt", "amount", "agrees"):
        table.add_column(title, justify="right")
    for name, balance in done.balances.items():
        counts = (balance.accepted, balance.acknowledged + balance.skipped, balance.settled, balance.in_doubt)
        agrees = "[green]yes[/]" if balance.agrees else "[red]no[/]"
        table.add_row(
            name,
            *(f"{count:,}" for count in counts),
            money(balance.amount) if balance.amount else "",
            agrees if balance.has_rows else "nothing yet",
        )
    return table


def _conclusion(done: "Reconciliation") -> str:
    match done.verdict:
        case "nothing_to_compare":
            return "Nothing to compare: nothing was accepted yet. To send history: trackly-sync push"
        case "missing":
            return "[red]Does not agree: what was accepted is not all there.[/]"
        case "ledger_lost":
            return "[red]Not compared: the ledger does not know all that was sent.[/]"
        case "perhaps_twice":
            return "[yellow]Revenue is perhaps there twice.[/]"
    if not done.contacts:
        return (
            "Agrees with what the API acknowledged. Nothing was accepted of which it is on record what the contact's"
            " totals were before."
        )
    exactly = (
        " All of them hold exactly what was accepted."
        if not (any(done.findings.values()) or done.still_twice)
        else ""
    )
    return f"[green]Agrees.[/]{exactly}"


def _json(done: "Reconciliation") -> dict[str, object]:
    names = ("amount", "amount_settled", "amount_in_doubt", "amount_acknowledged")
    return {
        "verdict": done.verdict,
        "agrees": done.agrees,
        "contacts": done.contacts,
        "complete": done.complete,
        "findings": done.findings,
        "missing": str(done.missing),
        "alarms": done.alarms,
        "still_twice": done.still_twice.figures(),
        "repeated_calls": done.repeated_calls,
        "books": {
            name: {
                **asdict(balance),
                **{n: None if getattr(balance, n) is None else str(getattr(balance, n)) for n in names},
                "agrees": balance.agrees,
            }
            for name, balance in done.balances.items()
        },
    }
