"""The finding of the last reconciliation that revenue is perhaps there twice, for the person who has to act on it.

The finding is in the ledger, so all machines that use the ledger show the same, until a person acknowledges it
(`resolve`) or a reconciliation no longer finds it. What does not belong here: finding it (`reconcile_query`), revenue
that turned up late (`late_revenue`), and anything that imports duckdb or SQLAlchemy: `status` reads this.
"""

from typing import Any

from pipelines.alerts.conditions import Condition
from pipelines.push.ledger.db.figures import FoundTwice, Named
from pipelines.push.ledger.status import figures
from pipelines.settings import Settings
from pipelines.text.humanize import form, money, plural
from schemas.values.money import amount_of

RECONCILE = "reconcile"
"""The argument of `resolve --acknowledge` for the finding; all others are numbers of alarms."""

REMEDY = (
    "Does a gateway repeat POSTs? See docs/operations.md. Have duplicates removed from the account, then:"
    " trackly-sync reconcile. If it is other revenue, or what remains is right: trackly-sync resolve"
    f" --acknowledge {RECONCILE} --reason '...'. The rows: trackly-sync resolve"
)

_NOTHING = FoundTwice(0, 0, 0, 0, 0, None)


def found_twice(settings: Settings) -> FoundTwice:
    """Return the finding if it is not acknowledged, else a finding without rows.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as ledger:
        return ledger.found_twice() if ledger else _NOTHING


def rows_found_twice(settings: Settings) -> list[Named]:
    """Return the rows of the finding.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as ledger:
        return ledger.named_twice() if ledger else []


def figures_of(found: FoundTwice) -> dict[str, Any]:
    """Return the finding for programs, without personal data; empty if nothing was found."""
    amount = str(amount_of(found.amount))
    return {**found._asdict(), "amount": amount} if found.rows else {}


def text_of(found: FoundTwice) -> str:
    """Return a finding of at least one row in one line, without personal data."""
    calls, again = found.calls, found.sent_again
    most = f"most contacts hold exactly once more what {form(calls, 'it', 'they')} brought"
    were = f"{plural(calls, 'call')} of revenue {form(calls, 'is', 'are')}"
    twice = f"{were} in the account as if delivered twice: {most}"
    rows = (
        f"{plural(again, 'row')} of revenue that {form(again, 'was', 'were')} sent again"
        f" {form(again, 'is', 'are')} in the account as if {form(again, 'it', 'they')} counted twice"
    )
    sums = (
        f"{plural(found.rows, 'row')}, {money(amount_of(found.amount))}, {plural(found.contacts, 'contact')}"
    )
    return f"{'; '.join([twice] * bool(calls) + [rows] * bool(again))} ({sums})"


def condition(found: FoundTwice) -> Condition:
    """Return the condition that alerts while there is a finding."""
    if not found.rows:
        return Condition("twice:reconcile", firing=False, text="reconcile found nothing perhaps there twice")
    return Condition("twice:reconcile", True, text_of(found), REMEDY, figures_of(found), found.found_at)
