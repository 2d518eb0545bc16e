"""Revenue that turned up after it was called absent: the text of each open alarm, for the person who has to look.

An alarm is recorded in the ledger until a person acknowledges it (`resolve`); an alert is a message (`alerts`). What
does not belong here: finding such revenue (`revenue.turned_up_late`), and anything that imports duckdb or SQLAlchemy,
because `status` reads this.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipelines.alerts.conditions import Condition
from pipelines.push.ledger.db.figures import Alarm, Named
from pipelines.push.ledger.status import figures
from pipelines.settings import Settings
from pipelines.text.humanize import duration, form, money, plural
from schemas.values.money import amount_of

_MOST_NAMED = 5
_SHOWN_DIGITS = 3


@dataclass(frozen=True, slots=True)
class LateRevenue:
    """An open alarm.

    Attributes:
        alarm: the alarm, as in the ledger.
        rows: the rows that turned up.
    """

    alarm: Alarm
    rows: tuple[Named, ...]

    @property
    def amount(self) -> Decimal:
        """The revenue that turned up, in the account's currency."""
        return amount_of(self.alarm.amount)

    @property
    def text(self) -> str:
        """What happened, in one line, without personal data."""
        alarm = self.alarm
        they = form(alarm.rows, "it", "they")
        which = they if alarm.sent_again == alarm.rows else f"{alarm.sent_again:,} of them"
        count = form(alarm.sent_again, "counts", "count")
        again = f"; {which} had been sent again and {count} twice" if alarm.sent_again else ""
        were = form(alarm.rows, "it was", "they were")
        return (
            f"{plural(alarm.rows, 'row')} of {alarm.dataset} ({money(self.amount)}) of"
            f" {plural(alarm.contacts, 'contact')} ({self.masked})"
            f" turned up after {were} called absent, up to {duration(alarm.seconds)} after {were} sent{again}."
            f" No more {alarm.dataset} is sent until a person has acknowledged this"
        )

    @property
    def masked(self) -> str:
        """The contacts, with phone numbers masked."""
        contacts = list(dict.fromkeys(row.contact for row in self.rows))
        more = ["..."] if len(contacts) > _MOST_NAMED else []
        return ", ".join([*(mask(contact) for contact in contacts[:_MOST_NAMED]), *more])

    @property
    def remedy(self) -> str:
        """What to do about the alarm."""
        return (
            "Look at the rows (trackly-sync resolve) and have duplicates removed from the account; then:"
            f" trackly-sync resolve --acknowledge {self.alarm.alarm} --reason '...'"
        )


def mask(contact: str) -> str:
    """Mask a phone number except its last digits. A hash stays as it is."""
    return f"…{contact[-_SHOWN_DIGITS:]}" if re.fullmatch(r"\+[0-9]+", contact) else contact


def open_alarms(settings: Settings) -> list[LateRevenue]:
    """Return the alarms without acknowledgement, oldest first.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with figures(settings) as ledger:
        return [LateRevenue(one, tuple(ledger.named(one.alarm))) for one in ledger.alarms()] if ledger else []


def condition(found: Sequence[LateRevenue]) -> Condition:
    """Return the condition for open alarms; it does not fire without any."""
    if not found:
        return Condition(
            "twice:revenue", firing=False, text="no revenue turned up after it was called absent"
        )
    figures = {
        "alarms": [one.alarm.alarm for one in found],
        "rows": sum(one.alarm.rows for one in found),
        "amount": str(sum((one.amount for one in found), Decimal(0))),
    }
    text = "; ".join(one.text for one in found)
    since = min(one.alarm.raised_at for one in found)
    return Condition("twice:revenue", True, text, found[0].remedy, figures, since)
