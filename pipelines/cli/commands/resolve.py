"""`trackly-sync resolve`: decisions of a person. Its lists are in `resolve_lists`."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.cli.commands.resolve_emptied import state_emptied
from pipelines.cli.commands.resolve_lists import list_differing, list_doubts, listed_key
from pipelines.cli.shared.arguments import AsJson, chosen
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import UsageError
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import form, plural
from schemas.registry import PUSHED


class ByHand(StrEnum):
    """The decisions that a person may make about a row in doubt."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


@guarded
def resolve(
    rows: Annotated[
        list[str] | None,
        typer.Argument(
            help="Identities of rows, as the list shows them; with --differs names of datasets.",
            metavar="ROW",
        ),
    ] = None,
    outcome: Annotated[
        ByHand | None,
        typer.Option(
            "--as",
            metavar="OUTCOME",
            help="accepted: it is in the account. pending: it is not, send it with the next push. "
            "rejected: it is not, and shall not be sent.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in imports.resolutions.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All rows in doubt.")] = False,
    alarm: Annotated[
        str | None,
        typer.Option(
            "--acknowledge",
            metavar="ID|reconcile",
            help="Revenue that turned up after it was called absent has been seen to: pushes go on. "
            "reconcile: so has what the last reconcile found perhaps there twice.",
        ),
    ] = None,
    differs: Annotated[
        bool,
        typer.Option(
            "--differs",
            help="Rows that differ from what was sent: list them, or with --reason acknowledge them.",
        ),
    ] = False,
    emptied: Annotated[
        bool,
        typer.Option(
            "--account-emptied",
            help="The ledger was lost, and the account no longer has what it does not know: pushes go on, and send "
            "it again.",
        ),
    ] = False,
    show_values: Annotated[
        bool,
        typer.Option("--show-values", help="In a list: phone numbers as they are, which are personal data."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List the revenue in doubt, or settle it by hand, with a reason that is kept.

    If a call has no usable answer, its revenue is in doubt. The next push reads the contacts' totals and settles the
    rows that the totals explain. This command lists the other rows with the evidence. Look them up in Trackly, then
    decide. A later reading cannot contradict a wrong `accepted` if the contact gets other revenue of the same amount
    before it. Lists mask contacts, and keys that look like a phone number or an e-mail address, also with --json. Use
    --show-values to show them.

    Examples:
    - `trackly-sync resolve`: the list.
    - `trackly-sync resolve record:8841 --as accepted --reason "in the account, seen by support"`
    - `trackly-sync resolve --all --as pending --reason "the account was restored from before the push"`
    - `trackly-sync resolve --differs sends --reason "texts were corrected in the export only"`
    - `trackly-sync resolve --acknowledge 3 --reason "Trackly removed the second events, ticket 1234"`
    - `trackly-sync resolve --acknowledge reconcile --reason "the shop reports the same sales by itself"`
    - `trackly-sync resolve --account-emptied --reason "reset by Trackly, ticket 1234"`
    """
    _refuse_values(show_values, outcome, alarm, reason if differs else "", emptied)
    settings = load_settings()
    refuse_misspelt()
    masked = not show_values
    if emptied:
        return state_emptied(settings, reason, as_json, other=[rows, outcome, every, differs, alarm])
    if differs:
        _refuse_others(outcome, alarm, every=every)
        names = chosen(rows, PUSHED)
        if reason:
            return _acknowledge_differing(settings, names, reason, as_json)
        return list_differing(settings, names, as_json, masked=masked)
    if alarm is not None:
        return _acknowledge(settings, alarm, reason, as_json, other=any((rows, outcome, every)))
    _check_rows(rows, outcome, reason, every=every)
    if outcome is None:
        return list_doubts(settings, as_json, masked=masked)
    return _settle(settings, None if every else (rows or ()), outcome, reason, as_json)


def _refuse_values(*decided: object) -> None:
    """Check that --show-values is used with a list.

    Raises:
        UsageError: the command decides something.
    """
    shown, *rest = decided
    if shown and any(one not in (None, False, "") for one in rest):
        raise UsageError("--show-values is for a list, and this decides.", "Leave it out.")


def _refuse_others(outcome: ByHand | None, alarm: str | None, *, every: bool) -> None:
    """Check that --differs is given without the options that it excludes.

    Raises:
        UsageError: it is not.
    """
    if outcome or every or alarm is not None:
        raise UsageError(
            "--differs excludes --as, --all and --acknowledge.", "Give it alone, or with --reason."
        )


def _check_rows(rows: Sequence[str] | None, outcome: ByHand | None, reason: str, *, every: bool) -> None:
    """See that it is clear which rows are meant, and what became of them.

    Raises:
        UsageError: it is not.
    """
    if outcome is None and any((rows, reason, every)):
        raise UsageError(
            "It is not given what became of the rows.", "Add --as accepted, pending or rejected."
        )
    if rows and every:
        raise UsageError("--all is for all rows in doubt, and some are named.", "Name rows, or give --all.")


def _settle(
    settings: Settings, rows: Sequence[str] | None, outcome: ByHand, reason: str, as_json: bool
) -> int:
    """Settle rows in doubt; None settles all of them."""
    from pipelines.push.outcomes import Outcome  # noqa: PLC0415 - keeps help fast
    from pipelines.push.resolve import in_doubt  # noqa: PLC0415 - the same
    from pipelines.push.resolve import resolve as run_resolve  # noqa: PLC0415 - the same

    found = {doubt.identity: doubt for doubt in in_doubt(settings)}
    named = list(found) if rows is None else list(dict.fromkeys(rows))
    if named or rows is not None:
        run_resolve(settings, named, Outcome(outcome.value), reason)
    outside = sum(not found[one].in_input for one in named)
    if as_json:
        show_json(_settled_json(named, outcome, outside))
        return 0
    if not named:
        out.print("No row is in doubt; nothing was changed.")
        return 0
    out.print(f"{plural(len(named), 'row is', 'rows are')} {outcome.value} now.")
    if outcome is ByHand.PENDING:
        _show_sending(len(named), outside)
    return 0


def _settled_json(named: Sequence[str], outcome: ByHand, outside: int) -> dict[str, object]:
    """Return the settled rows for programs; `not_in_input` only if there are such rows."""
    beside = {"not_in_input": outside} if outside else {}
    return {"resolved": [listed_key(one, masked=True) for one in named], "outcome": outcome.value, **beside}


def _show_sending(rows: int, outside: int) -> None:
    """Show the command that sends the rows that are pending now.

    Rows outside the current input have to be in it again.
    """
    if rows > outside:
        out.print("To send them: trackly-sync push revenue")
    if outside:
        which = "" if rows == outside else f"{outside:,} of them "
        again = form(outside, "is in it again", "are in it again")
        text = f"{form(outside, 'is', 'are')} not in the current input, or quarantined there"
        out.print(
            f"{which or form(outside, 'It ', 'They ')}{text}: sent only once {form(outside, 'it', 'they')} {again}, "
            "then by: trackly-sync push revenue"
        )


def _acknowledge(settings: Settings, alarm: str, reason: str, as_json: bool, *, other: bool) -> int:
    if other:
        raise UsageError("--acknowledge is about an alarm, not about rows.", "Give it and --reason alone.")
    from pipelines.push.audit.found_twice import RECONCILE  # noqa: PLC0415 - keeps help fast
    from pipelines.push.resolve import acknowledge, acknowledge_found  # noqa: PLC0415 - the same

    if alarm == RECONCILE:
        rows = acknowledge_found(settings, reason)
        said = f"What reconcile found is acknowledged ({plural(rows, 'row')}). To look again: trackly-sync reconcile"
    elif alarm.isdecimal() and alarm.isascii():
        acknowledge(settings, int(alarm), reason)
        said = f"Alarm {alarm} is acknowledged. To go on: trackly-sync push revenue"
    else:
        raise UsageError(
            f"--acknowledge takes the number of an alarm, or {RECONCILE}.", "List both: trackly-sync resolve"
        )
    if as_json:
        show_json({"acknowledged": int(alarm) if alarm.isdecimal() else alarm})
    else:
        out.print(said)
    return 0


def _acknowledge_differing(settings: Settings, names: Sequence[str], reason: str, as_json: bool) -> int:
    from pipelines.push.resolve import acknowledge_differing  # noqa: PLC0415 - keeps help fast

    done = acknowledge_differing(settings, names, reason)
    if as_json:
        show_json({"acknowledged": {name: done.get(name, 0) for name in names}})
        return 0
    for name, number in done.items():
        out.print(f"{plural(number, 'row')} of {name} acknowledged.")
    if not any(done.values()):
        out.print("No row of the last push differed without being acknowledged.")
    return 0
