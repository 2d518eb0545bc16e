"""`trackly-sync resolve --account-emptied`.

A statement that the account no longer has revenue which a lost ledger lacks.

What does not belong here: what is done about it (`pipelines.push.audit.adopt.emptied`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.text.humanize import plural

if TYPE_CHECKING:
    from pipelines.push.audit.lost_ledger.detect import Lost


def state_emptied(settings: Settings, reason: str, as_json: bool, *, other: Sequence[object]) -> int:
    """Record the statement that the account was emptied.

    Args:
        settings: where the data directory is.
        reason: why, as a person wrote it.
        as_json: show it as JSON.
        other: the other arguments of the command; none of them may be given.

    Raises:
        UsageError: another argument was given, or no reason.
    """
    if any(one not in (None, False, []) for one in other):
        raise UsageError("--account-emptied is about all of the account.", "Give it and --reason alone.")
    from pipelines.push.audit.adopt.emptied import account_emptied  # noqa: PLC0415 - keeps help fast

    found = account_emptied(settings, reason)
    if as_json:
        show_json({"emptied": bool(found), "calls": len(found.calls), "datasets": list(found.datasets)})
    else:
        _show(found)
    return 0


def _show(found: "Lost") -> None:
    if not found:
        out.print(
            "Nothing was put on record: the ledger knows every call that was made. Rows that it has as sent are not"
            " sent again; to send them again, move the ledger away first."
        )
        return
    what = plural(len(found.calls), "call") if found.calls else ", ".join(found.datasets)
    out.print(f"On record: what the ledger does not know ({what}) is not in the account any more.")
    out.print(
        "A push sends it again, and not what the ledger has as sent: for that, move the ledger away first."
        " To go on: trackly-sync pull, then trackly-sync push --dry-run",
        markup=False,
    )
