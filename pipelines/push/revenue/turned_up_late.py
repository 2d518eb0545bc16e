"""Finds revenue whose settlement a reading contradicts; every reading of the contacts is checked for it.

Rows that turned up after they were called absent, and may be in the account twice, raise an alarm.

Since the last reading that did not show such a row, its contact's totals grew by the revenue acknowledged since. Any
further growth is other activity of the account, or the lost call after all:

    growth = acknowledged + stored rows in doubt + other revenue + rows that turned up

A row counts as turned up in two cases: rows in doubt do not explain the rest of the growth, but together with the row
they do, exactly; or the rest has room for the row and for other revenue, which is at least one more conversion.
Revenue of another amount raises no alarm. Totals do not distinguish a row that came late from other revenue of its
amount. If the row was sent again, it may be in the account twice, so both cases raise an alarm. If it was not sent
again, nothing has to stop: it is accepted, or in doubt if something else explains the growth too. A row is also in
doubt again if a reading contradicts a person's decision: a row resolved as rejected turned up, or totals grew by less
than was acknowledged, by exactly the amount of a row resolved as accepted (`said_to_be_there`).

An account may count revenue on another list of the same number, so both totals are examined: those of the number
count if those of the list do not show the acknowledged revenue.

What does not belong here: keeping these rows (`ledger.queries.revenue.absent`), and settling rows in doubt
(`settle`).
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from pipelines.pull.derived.contact_totals import ContactTotals
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue import absent as ledger_absent
from pipelines.push.ledger.queries.revenue.absent import Counted, Entry
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.push.outcomes import CONTRADICTED, SETTLED, Outcome, Verdict
from pipelines.push.revenue.said_to_be_there import look_for
from pipelines.push.revenue.settle.growth import Level, Rest, choices, is_clear, rest_of, sums_of
from pipelines.push.revenue.settle.interval import AMBIGUOUS
from pipelines.push.revenue.waiting import later_by, seconds_until
from pipelines.push.stage.totals import TotalsInStage
from pipelines.runs.recording import now
from pipelines.text.humanize import duration, form, plural

_MARGIN = 1.5
"""From then on a call may take this many times the age at which a row turned up."""

_NEAR = 3600.0
"""Seconds. If a reading came later than this after the call, the time at which the row turned up is uncertain."""

_LONGEST = 86_400.0
"""Seconds. The settle time is not raised beyond this. A row is not watched any more after a reading this long after
its call, or ten times the settle time after it if that is longer, that does not show the row."""

_LATER, _OR_OTHER = "turned up afterwards", ", or other revenue did"

_log = logging.getLogger(__name__)

_Where = tuple[str | None, str | None]
_Row = TypeVar("_Row", Entry, Counted)


class _Match(NamedTuple):
    """Entries that turned up; `certain`: nothing else explains the growth."""

    entries: list[Entry]
    certain: bool

    def on(self, ref: str | None) -> "_Match":
        """Return the entries on one list."""
        return _Match([one for one in self.entries if one.list_ref == ref], self.certain)

    def and_also(self, other: "_Match") -> "_Match":
        """Return the entries of both."""
        return _Match([*self.entries, *other.entries], self.certain and other.certain)


def find_late(
    totals: TotalsInStage, ledger: Ledger, reading: ContactTotals, settle_seconds: float
) -> int | None:
    """Search a reading for revenue that was settled in the wrong way: it is in the account after all, or is not.

    Args:
        totals: the reading, loaded.
        ledger: the ledger; it records the alarm, which is open if rows may be in the account twice.
        reading: the reading.
        settle_seconds: how long a call may take, as known so far.

    Returns:
        The number of the alarm; None if none was raised.
    """
    times = reading.started_at, reading.finished_at
    with ledger.begin(REVENUE) as transaction:
        entries = _by_one_name(totals, ledger_absent.watched(transaction))
        if not entries:
            return None
        rows = _by_contact(_by_one_name(totals, ledger_absent.counted(transaction)))
        found = _Found(totals.look_up((one.contact, one.list_ref) for one in entries))
        for contact, some in _by_contact(entries).items():
            found.add(some, rows.get(contact, []), times, settle_seconds)
        ledger_absent.keep_totals(transaction, found.kept, times, found.totals)
        ledger_absent.take_back(transaction, found.verdicts, reading.started_at)
        ledger_absent.retire(transaction, [*found.over, *(one for one, _ in found.verdicts)])
        if not found.late:
            return None
        seconds, learned = _learned(found.late, reading.finished_at)
        number = ledger_absent.raise_alarm(transaction, found.late, now(), seconds, learned)
    _log_late(found.late, number, seconds, learned)
    return number


def _by_one_name(totals: TotalsInStage, rows: Sequence[_Row]) -> list[_Row]:
    """Give rows the reading's key for their list; rows that were taken over have the list's name from their send."""
    return [row._replace(list_ref=totals.list_key(row.list_ref)) for row in rows]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a reading says about the entries that are watched.

    Attributes:
        totals: the totals of their contacts.
        late: entries that raise an alarm.
        verdicts: verdicts on rows that were not sent again, and were settled otherwise.
        kept: entries whose later growth can be measured from these totals.
        over: entries that need not be watched any more.
    """

    totals: Mapping[_Where, Found]
    late: list[Entry] = field(default_factory=list)
    verdicts: list[tuple[Entry, Verdict]] = field(default_factory=list)
    kept: list[Entry] = field(default_factory=list)
    over: list[Entry] = field(default_factory=list)

    def add(
        self, entries: Sequence[Entry], rows: Sequence[Counted], times: tuple[str, str], settle_seconds: float
    ) -> None:
        """Add what the reading says about the entries of one contact.

        Args:
            entries: the entries of the contact.
            rows: rows that count in the contact, or may.
            times: when the reading began and ended; ISO 8601, UTC.
            settle_seconds: how long a call may take, as known so far.
        """
        there = [one for one in entries if one.outcome == Outcome.ACCEPTED]
        looked = look_for(there, rows, self.totals, times, settle_seconds)
        self.verdicts.extend(looked.verdicts)
        self.over.extend(looked.done)
        absent = [one for one in entries if one.outcome != Outcome.ACCEPTED]
        self._add_absent(absent, rows, times)
        horizon = max(_LONGEST, 10 * settle_seconds)
        self.over.extend(one for one in absent if _is_over(one, horizon))

    def _add_absent(self, entries: Sequence[Entry], rows: Sequence[Counted], times: tuple[str, str]) -> None:
        match = _turned_up(entries, rows, self.totals, times)
        for one in match.entries:
            if one.outcome is not None:
                self.verdicts.append((one, _verdict(one.outcome, certain=match.certain)))
            if one.outcome is None or (match.certain and one.is_read_since):
                self.late.append(one)
        others = [one for one in entries if one not in match.entries]
        self.kept.extend(_to_keep(others, rows, self.totals, times))


def _log_late(late: Sequence[Entry], number: int, seconds: float, learned: float) -> None:
    twice = any(one.outcome is None for one in late)
    were = form(len(late), "it was", "they were")
    what = (
        "no more revenue is sent until a person has looked: trackly-sync resolve"
        if twice
        else f"{were} not sent again, and a call may take {duration(learned)} from now on"
    )
    _log.warning(
        "revenue: %s turned up after %s called absent, up to %.0f s after %s sent; %s",
        plural(len(late), "row"), were, seconds, were, what, extra={"event": "late_revenue", "alarm": number},
    )  # fmt: skip


def _verdict(said: str, *, certain: bool) -> Verdict:
    """Return the verdict on a row that turned up before it was sent again.

    Args:
        said: how it was settled: pending, or rejected by a person.
        certain: whether nothing else explains the growth of its contact.
    """
    if said == Outcome.REJECTED:
        text = f"resolved as {said}, and {_LATER}"
        return Verdict(Outcome.IN_DOUBT, CONTRADICTED, text if certain else f"{text}{_OR_OTHER}")
    if certain:
        return Verdict(Outcome.ACCEPTED, SETTLED, f"called absent, and {_LATER}")
    return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, f"called absent, and {_LATER}{_OR_OTHER}")


def _is_over(entry: Entry, horizon: float) -> bool:
    return entry.read_from is not None and entry.read_from >= later_by(entry.sent_at, horizon)


def _learned(late: Sequence[Entry], read_to: str) -> tuple[float, float]:
    """Return how old the calls were at most, and the settle time that follows from it, both in seconds."""
    seen = max(seconds_until(read_to, one.sent_at) for one in late)
    if (
        seen > _NEAR
    ):  # the row may have been there for long: it is known only that the last reading did not show it
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
    """Return entries of a contact whose later growth can be measured from these totals.

    There are none if rows may or may not be in the totals, except entries that were not compared with a reading yet.
    """
    clear = is_clear(rows, times)
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
    """Return the entries of a contact that a reading shows.

    Args:
        entries: the entries of the contact.
        rows: rows that count in the contact, or may.
        found: the totals that were read.
        times: when the reading began and ended.
    """
    known = sorted((one for one in entries if one.read_from), key=lambda one: str(one.read_from))
    on_phone = found[known[0].contact, known[0].list_ref].on_phone if known else None
    if on_phone is None:
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
    """Return the entries that the totals of their list show; None if these totals show nothing.

    They show nothing if the account does not count on this list, or if they lack acknowledged revenue.
    """
    if on_list is None:
        return None
    rest = rest_of(entries[0], Level(entries[0].on_list_then, on_list, list(rows)), times)
    match = _explained(entries, rest)
    shows_nothing = not match.entries and (rest.grew == 0 or rest.grew < rest.acknowledged)
    return None if shows_nothing else match


def _explained(entries: Sequence[Entry], rest: Rest) -> _Match:
    """Return the entries that are part of the growth."""
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
    """Return the entries for which the rest has room with other revenue, which is at least one more conversion."""
    conversions, amount = rest.conversions - len(rest.may_be), rest.amount - sum(rest.may_be)
    beside: list[Entry] = []
    for one in sorted(entries, key=lambda one: one.amount):
        if conversions - len(beside) > 1 and one.amount <= amount:
            beside.append(one)
            amount -= one.amount
    return beside
