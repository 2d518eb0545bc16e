"""Finds rows that a person resolved as accepted, but that their contact's totals do not have.

The test: since the reading before its call, the totals of the contact's phone number grew by less than was
acknowledged, and the difference is exactly the amount of such rows. If other revenue came meanwhile, this test shows
nothing; reconciliation compares these contacts too. What does not belong here: rows that were called absent
(`turned_up_late`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipelines.push.ledger.queries.revenue.absent import Counted, Entry
from pipelines.push.ledger.totals_readings import Found
from pipelines.push.outcomes import CONTRADICTED, Outcome, Verdict
from pipelines.push.revenue.settle.growth import Level, choices, is_clear, rest_of
from pipelines.push.revenue.waiting import later_by

_NOT_THERE = Verdict(
    Outcome.IN_DOUBT, CONTRADICTED, "resolved as accepted, and its contact's totals do not have it"
)


class Looked(NamedTuple):
    """What a reading says about rows that a person resolved as accepted.

    Attributes:
        verdicts: the verdicts on rows that are not in the account.
        done: rows that need not be watched any more; a later reading can tell about the others.
    """

    verdicts: list[tuple[Entry, Verdict]]
    done: list[Entry]


def look_for(
    entries: Sequence[Entry],
    rows: Sequence[Counted],
    found: Mapping[tuple[str | None, str | None], Found],
    times: tuple[str, str],
    settle_seconds: float,
) -> Looked:
    """Compare a contact's totals with those before its rows were sent.

    Args:
        entries: its rows that a person resolved as accepted.
        rows: rows that count in the contact, or may.
        found: the totals that were read.
        times: when the reading began and ended; ISO 8601, UTC.
        settle_seconds: how long a call may take: before that, a missing row may still come.
    """
    due = [one for one in entries if later_by(one.sent_at, settle_seconds) <= times[0]]
    if not due or not is_clear(rows, times):
        return Looked([], [])
    return Looked([(one, _NOT_THERE) for one in _not_there(due, rows, found, times)], due)


def _not_there(
    entries: Sequence[Entry],
    rows: Sequence[Counted],
    found: Mapping[tuple[str | None, str | None], Found],
    times: tuple[str, str],
) -> list[Entry]:
    """Return the entries whose amounts together are exactly what the totals lack of the acknowledged revenue."""
    first = min(entries, key=lambda one: str(one.read_from))
    totals = found[first.contact, first.list_ref]
    if totals.on_phone is None or (totals.phone_since or "") > str(first.read_from):
        return []  # the contact has left, or signed up again: its totals show nothing
    rest = rest_of(first, Level(first.on_phone_then, totals.on_phone, list(rows)), times)
    for (count, amount), places in choices([one.amount for one in entries]):
        if rest.is_near(-count, -amount):
            return [entries[place] for place in places]
    return []
