"""Revenue that turned up after it was called absent: found whenever contacts are read, and put on record as an alarm.

Since the last reading that did not show such a row, its contact's totals grew by what was acknowledged since. What
they grew by beyond that is other activity of the account, or the lost call after all:

    growth = acknowledged + rows in doubt, as far as they are there + other revenue + rows that turned up

A row is taken to have turned up where rows in doubt do not explain the rest and it does, to the digit; or where the
rest has room for it beside other revenue, which is at least one conversion more. Revenue of another amount is no
alarm. Totals do not distinguish a row that came late from other revenue of its amount: a row that was sent again is
an alarm in both cases, since it may be there twice. One that was not sent again cannot be, so that nothing has to
stop: it is accepted, or in doubt where something else explains the growth too.

An account may count revenue on another list of the same number, so both totals are looked at: those of the number
count where those of the list do not show what was acknowledged.

What does not belong here: keeping it (`ledger.queries.revenue.absent`), and settling what is in doubt (`settle`).
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from pipelines.pull.derived.contact_totals import ContactTotals
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue import absent as ledger_absent
from pipelines.push.ledger.queries.revenue.absent import Counted, Entry
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.push.outcomes import SETTLED, Outcome, Verdict
from pipelines.push.revenue.growth import Level, Rest, choices, rest_of, sums_of
from pipelines.push.revenue.interval import AMBIGUOUS
from pipelines.push.revenue.waiting import later_by, seconds_until
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs.recording import now
from pipelines.text.humanize import duration, form, plural

_MARGIN = 1.5
"""A call is given so many times the age at which one turned up."""

_NEAR = 3600.0
"""Seconds. Where a reading came later than this after the call, it is only roughly known when the row turned up."""

_LONGEST = 86_400.0
"""Seconds. The settle time is not raised beyond this. A row that a reading so long after its call does not show is
not watched any more, nor one after ten times the settle time, if that is longer."""

_TURNED_UP = "called absent, and turned up afterwards"

_log = logging.getLogger(__name__)

_Where = tuple[str | None, str | None]
_Row = TypeVar("_Row", Entry, Counted)


class _Match(NamedTuple):
    """Entries that turned up; `certain`: nothing else explains the growth."""

    entries: list[Entry]
    certain: bool

    def on(self, ref: str | None) -> "_Match":
        """Those on one list."""
        return _Match([one for one in self.entries if one.list_ref == ref], self.certain)

    def and_also(self, other: "_Match") -> "_Match":
        """Both together."""
        return _Match([*self.entries, *other.entries], self.certain and other.certain)


def find_late(
    totals: TotalsInStage, ledger: Ledger, reading: ContactTotals, settle_seconds: float
) -> int | None:
    """Look at a reading for revenue that turned up after it was called absent.

    Args:
        totals: the reading, loaded.
        ledger: the ledger; an alarm is put on record there, which is open if rows are perhaps there twice.
        reading: the reading.
        settle_seconds: how long calls were given so far.

    Returns:
        The number of what was put on record; None where nothing turned up.
    """
    with ledger.begin(REVENUE) as transaction:
        entries = ledger_absent.watched(transaction)
        if not entries:
            return None
        entries = _by_one_name(totals, entries)
        rows = _by_one_name(totals, ledger_absent.counted(transaction))
        found = _find(totals, reading, entries, rows)
        ledger_absent.keep_totals(transaction, found.kept, _times(reading), found.totals)
        ledger_absent.take_back(transaction, found.verdicts, reading.started_at)
        horizon = max(_LONGEST, 10 * settle_seconds)
        over = [one for one in entries if _is_over(one, horizon)]
        ledger_absent.retire(transaction, [*over, *(one for one, _ in found.verdicts)])
        if not found.late:
            return None
        seconds, learned = _learned(found.late, reading.finished_at)
        number = ledger_absent.raise_alarm(transaction, found.late, now(), seconds, learned)
    _log_late(found.late, number, seconds, learned)
    return number


def _by_one_name(totals: TotalsInStage, rows: Sequence[_Row]) -> list[_Row]:
    """Rows by the names that the reading has for their lists: what was taken over has the one of its send."""
    return [row._replace(list_ref=totals.list_key(row.list_ref)) for row in rows]


class _Found(NamedTuple):
    """What a reading says of the entries that are watched.

    Attributes:
        totals: those of their contacts.
        late: entries that make an alarm.
        verdicts: of rows that turned up before they were sent again.
        kept: entries whose later growth can be measured from these totals.
    """

    totals: Mapping[_Where, Found]
    late: list[Entry]
    verdicts: list[tuple[Entry, Verdict]]
    kept: list[Entry]


def _find(
    totals: TotalsInStage, reading: ContactTotals, entries: Sequence[Entry], counted: Sequence[Counted]
) -> _Found:
    where: list[_Where] = [(one.contact, one.list_ref) for one in entries]
    found = _Found(totals.look_up(where), [], [], [])
    rows = _by_contact(counted)
    for contact, some in _by_contact(entries).items():
        _add(found, some, rows.get(contact, []), _times(reading))
    return found


def _add(found: _Found, entries: Sequence[Entry], rows: Sequence[Counted], times: tuple[str, str]) -> None:
    """Add what the reading says of the entries of one contact."""
    match = _turned_up(entries, rows, found.totals, times)
    for one in match.entries:
        if one.pending:
            found.verdicts.append((one, _verdict(certain=match.certain)))
        if match.certain or not one.pending:
            found.late.append(one)
    others = [one for one in entries if one not in match.entries]
    found.kept.extend(_to_keep(others, rows, found.totals, times))


def _times(reading: ContactTotals) -> tuple[str, str]:
    return reading.started_at, reading.finished_at


def _log_late(late: Sequence[Entry], number: int, seconds: float, learned: float) -> None:
    twice = any(not one.pending for one in late)
    were = form(len(late), "it was", "they were")
    what = (
        "no more is sent until somebody has looked: trackly-sync resolve"
        if twice
        else f"{were} not sent again, and calls are given {duration(learned)} from now on"
    )
    _log.warning(
        "revenue: %s turned up after %s called absent, up to %.0f s after %s sent; %s",
        plural(len(late), "row"), were, seconds, were, what, extra={"event": "late_revenue", "alarm": number},
    )  # fmt: skip


def _verdict(*, certain: bool) -> Verdict:
    """Of a row that turned up before it was sent again."""
    if certain:
        return Verdict(Outcome.ACCEPTED, SETTLED, _TURNED_UP)
    return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, f"{_TURNED_UP}, or other revenue did")


def _is_over(entry: Entry, horizon: float) -> bool:
    return entry.read_from is not None and entry.read_from >= later_by(entry.sent_at, horizon)


def _learned(late: Sequence[Entry], read_to: str) -> tuple[float, float]:
    """How old the calls were, at most, and how long calls are to be given for that."""
    seen = max(seconds_until(read_to, one.sent_at) for one in late)
    if seen > _NEAR:  # it may have been there for long: only that the last reading did not show it is known
        least = max(seconds_until(one.read_from or one.sent_at, one.sent_at) for one in late)
        return seen, min(max(_NEAR, 2 * least), _LONGEST)
    return seen, _MARGIN * seen


def _by_contact(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    groups: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.contact].append(row)
    return groups


def _to_keep(
    entries: Sequence[Entry],
    rows: Sequence[Counted],
    found: Mapping[_Where, Found],
    times: tuple[str, str],
) -> list[Entry]:
    """Entries of a contact whose later growth can be measured from these totals.

    Not where rows may or may not be in them; an entry that was compared with no reading yet can begin with any.
    """
    clear = all(row.ended_at <= times[0] or row.intended_at >= times[1] for row in rows)
    return [
        one
        for one in entries
        if found[one.contact, one.list_ref].on_phone is not None and (clear or one.read_from is None)
    ]


def _turned_up(
    entries: Sequence[Entry],
    rows: Sequence[Counted],
    found: Mapping[_Where, Found],
    times: tuple[str, str],
) -> _Match:
    """Which entries of a contact a reading shows.

    Args:
        entries: those of the contact.
        rows: what counts in it, or may.
        found: the totals that were read.
        times: when the reading began and ended.
    """
    known = sorted((one for one in entries if one.read_from), key=lambda one: str(one.read_from))
    on_phone = found[entries[0].contact, entries[0].list_ref].on_phone
    if not known or on_phone is None:
        return _Match([], certain=True)
    over_all = rest_of(known[0], Level(known[0].on_phone_then, on_phone, list(rows)), times)
    of_phone = _explained(known, over_all)
    match = _Match([], certain=True)
    for ref in dict.fromkeys(one.list_ref for one in known):
        on_it, its = _on_list(known, ref), _on_list(rows, ref)
        on_list = found[on_it[0].contact, ref].on_list
        match = match.and_also(_turned_up_on(on_it, on_list, its, times) or of_phone.on(ref))
    return match


def _on_list(rows: Sequence[_Row], ref: str | None) -> list[_Row]:
    return [row for row in rows if row.list_ref == ref]


def _turned_up_on(
    entries: Sequence[Entry], on_list: Totals | None, rows: Sequence[Counted], times: tuple[str, str]
) -> _Match | None:
    """Which entries the totals of their list show; None where these show nothing.

    That is where the account does not count on this list, or the list does not show what was acknowledged.
    """
    if on_list is None:
        return None
    rest = rest_of(entries[0], Level(entries[0].on_list_then, on_list, list(rows)), times)
    match = _explained(entries, rest)
    shows_nothing = not match.entries and (rest.grew == 0 or rest.grew < rest.acknowledged)
    return None if shows_nothing else match


def _explained(entries: Sequence[Entry], rest: Rest) -> _Match:
    """Which entries are in what totals grew by."""
    nothing = _Match([], certain=True)
    if rest.conversions <= 0 or rest.amount < -rest.rounding:
        return nothing
    doubts = sums_of(rest.may_be)
    if any(rest.is_near(*both) for both in doubts):
        return nothing
    for (count, amount), chosen in choices([one.amount for one in entries]):
        if any(rest.is_near(count + n, amount + a) for n, a in doubts):
            return _Match([entries[place] for place in chosen], certain=True)
    return _Match(_beside_others(entries, rest), certain=False)


def _beside_others(entries: Sequence[Entry], rest: Rest) -> list[Entry]:
    """Entries that the rest has room for beside other revenue, which is at least one conversion more."""
    conversions, amount = rest.conversions - len(rest.may_be), rest.amount - sum(rest.may_be)
    beside: list[Entry] = []
    for one in sorted(entries, key=lambda one: one.amount):
        if conversions - len(beside) > 1 and one.amount <= amount:
            beside.append(one)
            amount -= one.amount
    return beside
