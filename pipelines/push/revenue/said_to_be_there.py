"""Revenue in doubt that a person has said is in the account, and that its contact's totals do not have.

From the reading before its call on, the totals of all contacts of its phone number grew by less than was
acknowledged, by just what such rows have. Where other revenue came meanwhile, nothing shows; reconciliation compares
these contacts too. What does not belong here: rows that were called absent (`turned_up_late`).
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
    """What a reading says of such rows.

    Attributes:
        verdicts: of those that are not there.
        done: those that need not be looked for any more; the others a later reading can tell.
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
    """Compare a contact's totals with what they were before its rows were sent.

    Args:
        entries: its rows that a person has said are there.
        rows: what counts in it, or may.
        found: the totals that were read.
        times: when the reading began and ended; ISO 8601, UTC.
        settle_seconds: how long calls are given: what is not there yet may still come.
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
    """Those of the entries that make what the totals lack of what was acknowledged."""
    first = min(entries, key=lambda one: str(one.read_from))
    of = found[first.contact, first.list_ref]
    if of.on_phone is None or (of.phone_since or "") > str(first.read_from):
        return []  # it has left, or signed up again: its totals show nothing
    rest = rest_of(first, Level(first.on_phone_then, of.on_phone, list(rows)), times)
    for (count, amount), places in choices([one.amount for one in entries]):
        if rest.is_near(-count, -amount):
            return [entries[place] for place in places]
    return []
