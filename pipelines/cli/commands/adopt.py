"""`trackly-sync adopt`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.settings import load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import money, plural

if TYPE_CHECKING:
    from pipelines.push.audit.adopt.adopt import Adopted


@guarded
def adopt(as_json: AsJson = False) -> int:
    """Take over sent revenue from the warehouse and the archive into a lost ledger.

    Use this after the ledger was lost, or restored from a backup. Such a ledger lacks the rows sent since. Revenue
    that is sent again counts twice, so `push` refuses to run. Restore the latest ledger if there is one. If not, this
    command takes over the rows of `imports.records` and `parquet/imports`. Accepted rows are not sent again, also if
    the ledger has them in doubt or pending. Rows without an answer are in doubt.

    Examples:
    - `trackly-sync adopt`: then `trackly-sync push`.
    """
    settings = load_settings()
    refuse_misspelt()
    from pipelines.push.audit.adopt.adopt import adopt as run_adopt  # noqa: PLC0415 - keeps help fast

    done = run_adopt(settings)
    if as_json:
        show_json({**asdict(done), "amount": str(done.amount)})
    else:
        _show(done)
    return 0


def _show(done: "Adopted") -> None:
    if not (done.rows or done.calls):
        out.print(
            "The ledger knows all revenue that the warehouse and the archive have; there is nothing to take over."
        )
        return
    out.print(
        f"In the ledger now: {plural(done.rows, 'row')} of revenue in {plural(done.calls, 'call')}, "
        f"{money(done.amount)}."
    )
    if done.unknown:
        out.print(f"The amounts of {done.unknown:,} of them are on record nowhere, and are not in that sum.")
    if done.settled:
        out.print(f"{done.settled:,} of them were in doubt or pending in the ledger, and have their outcome.")
    if done.in_doubt:
        out.print(
            f"{done.in_doubt:,} of them are in doubt. Settle them by hand: trackly-sync resolve. No push does it."
        )
    out.print(
        "Sends and clicks that it does not know are pending until they are pushed again, which the account skips;"
        " until then marts count them as the warehouse had them, or, where it was lost too, those that revenue names."
    )
    out.print("To go on: trackly-sync push")
