"""What a contact's totals at several readings say about its rows, interval by interval.

Between two readings a contact's totals grow by acknowledged revenue, by rows in doubt that were stored, and by other
revenue. Each reading after which a row of the contact was sent is a boundary, so that a row that stays in doubt does
not obscure later rows:

    reading 1 ── rows sent ──▶ reading 2 ── rows sent ──▶ reading now

If several machines push, a reading of one may fall into a call of another; then it is unknown whether the reading has
the rows of that call. Such a reading is no boundary, except the first and the present one: for these the rows may
count or not.

A contact that has signed up again may have started with new totals: they show no row to be absent. An account may
show totals in whole cents although rows have fractions of a cent; then the growth is known only up to that rounding.
What does not belong here: the verdict on a row (`settle`), and the arithmetic (`subset_sum`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pipelines.push.ledger.queries.revenue.absent import UNDER_WAY
from pipelines.push.ledger.queries.revenue.in_doubt import SentRow
from pipelines.push.ledger.totals_readings import Totals
from pipelines.push.outcomes import CAUSES, EVIDENCE, NO_READING, RESOLVED, SETTLED, UNREAD, Outcome
from pipelines.push.revenue.settle.subset_sum import Alike, Fate, explain, fates
from pipelines.push.revenue.waiting import later_by
from pipelines.text.humanize import money, plural
from schemas.values.money import CENT, amount_of

CONTACT_GONE, AMBIGUOUS = "contact_gone", "ambiguous"
"""Our codes for rows that a reading could not settle, in addition to NO_READING."""

_SKEW = 2
"""Seconds by which a sign-up may seem early, because the account notes it in whole seconds of its own clock. If this
were larger, rows of contacts that are new in the account would stay in doubt without need."""

_ANOTHER = "another push sent revenue of this contact while it was read"
_OUTCOME = {Fate.STORED: Outcome.ACCEPTED, Fate.ABSENT: Outcome.PENDING, Fate.OPEN: Outcome.IN_DOUBT}
_SIGNED_UP_AGAIN = "its contact has signed up again, so that its totals may have started again"


class Judgement(NamedTuple):
    """What the totals say about a row.

    Attributes:
        fate: whether it is stored, absent or open.
        code: if it is open, our code; "" if a later reading may settle it.
        text: the cause, then the figures that it rests on.
        counted: whether the growth is exactly the acknowledged and the stored rows, and some were acknowledged.
    """

    fate: Fate
    code: str
    text: str
    counted: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """Whether the row may be stored, and the totals allow more than one explanation."""
        return self.fate is not Fate.ABSENT and self.code == AMBIGUOUS


Judged = dict[str, Judgement]
"""Judgements by identity."""


class Boundary(NamedTuple):
    """A contact's totals at a reading.

    Attributes:
        read_from, read_to: when the reading began and ended; read_to is "" for the present reading.
        totals: None if the reading did not find the contact.
        known: whether that is certain, because the reading saw every contact.
        ours: whether the reading is of this part of the input.
    """

    read_from: str
    read_to: str
    totals: Totals | None
    known: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Given:
    """Values that are the same for all contacts of a reading.

    Attributes:
        read_from: when the reading began; ISO 8601, UTC.
        complete: whether it saw every contact.
        content: by identity, a digest of the record that was sent; equal records are the same to the API.
        seconds: how long the account may work on a call whose answer was lost, from when it was sent.
    """

    read_from: str
    complete: bool
    content: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact, on a list or over all lists of its phone number.

    Attributes:
        rows: its rows that were sent.
        before: by identity, its totals before the row was sent.
        totals: its present totals; None if the reading did not find it.
        since: when it signed up.
        given: values that are the same for all contacts.
    """

    rows: Sequence[SentRow]
    before: Mapping[str, Totals | None]
    totals: Totals | None
    since: str | None
    given: Given

    def judge(self) -> Judged:
        """Return what the totals say about the contact's rows in doubt."""
        unread = Judgement(Fate.OPEN, NO_READING, UNREAD)
        judged: Judged = {row.identity: unread for row in self.rows if row.in_doubt}
        for start, end in pairwise(self._boundaries()):
            judged |= self._interval(start, end).judge()
        return judged

    def _boundaries(self) -> list[Boundary]:
        """Return the first reading, those for which it is known which rows they include, and the present one."""
        found = {
            row.read_from: Boundary(
                row.read_from, row.read_to, self.before[row.identity], row.complete, row.ours
            )
            for row in self.rows
            if row.read_from and row.read_to
        }
        first, *others = [*(found[at] for at in sorted(found)), self._now()]
        return [first, *(one for one in others[:-1] if self._is_clean(one)), *others[-1:]]

    def _now(self) -> Boundary:
        return Boundary(self.given.read_from, "", self.totals, self.given.complete, ours=True)

    def _is_clean(self, boundary: Boundary) -> bool:
        known = boundary.totals is not None or boundary.known
        return known and not any(self._is_loose(row, boundary) for row in self.rows)

    def _interval(self, start: Boundary, end: Boundary) -> "Interval":
        stop = end.read_to or UNDER_WAY
        inside = [
            row for row in self.rows if self._ended(row, start) > start.read_from and row.intended_at < stop
        ]
        loose = self._loose(inside, start) | self._loose(inside, end)
        return Interval(
            start,
            end,
            inside,
            loose,
            self.given.content,
            again=self.since is not None and start.totals is not None and _within(self.since, start, end),
            late=bool(self._loose(inside, self._now())),
        )

    def _loose(self, rows: Sequence[SentRow], boundary: Boundary) -> frozenset[str]:
        return frozenset(row.identity for row in rows if self._is_loose(row, boundary))

    def _is_loose(self, row: SentRow, boundary: Boundary) -> bool:
        """Return whether the row's call was under way during a reading."""
        began = row.intended_at < (boundary.read_to or UNDER_WAY)
        return began and self._ended(row, boundary) > boundary.read_from

    def _ended(self, row: SentRow, boundary: Boundary) -> str:
        """Return when the account was done with a row's call, as far as that matters to a reading.

        Nothing is sent to a contact until our own lost calls to it are settled; so only calls of other parts, and
        other activity, can fall into a reading of ours. A row that was not there at first came later, possibly after
        other rows were sent: it was called absent.
        """
        lost = row.in_doubt or row.code in (SETTLED, RESOLVED)
        if not lost or (row.ours and boundary.ours):
            return (row.absent_since and row.settled_at) or row.ended_at
        last = later_by(row.sent_at or row.intended_at, self.given.seconds)
        return row.settled_at or max(row.ended_at, last)


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of totals beyond the acknowledged revenue.

    Attributes:
        conversions: the number of conversions.
        amount: the amount, in units.
        rounding: by how much the amount may be off, in units.
    """

    conversions: int
    amount: int
    rounding: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two readings of a contact.

    Attributes:
        start: the first reading.
        end: the second reading.
        rows: rows that may count in the growth between them.
        loose: those of them that may also count outside of it.
        content: see `Given`.
        again: whether the contact may have signed up again between the readings.
        late: whether some rows are loose only until a later reading.
    """

    start: Boundary
    end: Boundary
    rows: Sequence[SentRow]
    loose: frozenset[str]
    content: Mapping[str, str]
    again: bool
    late: bool

    def judge(self) -> Judged:
        """Return what the growth says about the rows in doubt."""
        judged = {
            row.identity: Judgement(Fate.OPEN, "", _ANOTHER)
            for row in self.rows
            if row.in_doubt and row.identity in self.loose
        }
        doubts = self.doubts()
        if not doubts:
            return judged
        if problem := self._unusable():
            return judged | {row.identity: Judgement(Fate.OPEN, *problem) for row in doubts}
        return judged | self._explained()

    def doubts(self) -> list[SentRow]:
        """Return the rows in doubt that can count in this interval only."""
        return [row for row in self.rows if row.in_doubt and row.identity not in self.loose]

    def acknowledged(self) -> list[SentRow]:
        """Return the accepted rows that certainly count in this interval."""
        return [row for row in self.rows if not row.in_doubt and row.identity not in self.loose]

    def growth(self) -> Growth:
        """Return the growth of the totals beyond the acknowledged revenue."""
        first, last = self.start.totals or Totals(0, 0), self.end.totals or Totals(0, 0)
        accepted = self.acknowledged()
        in_cents = first.amount % CENT == last.amount % CENT == 0
        fractions = sum(row.amount % CENT > 0 for row in self.rows)
        return Growth(
            last.conversions - first.conversions - len(accepted),
            last.amount - first.amount - sum(row.amount for row in accepted),
            CENT * fractions if in_cents else 0,
        )

    def _unusable(self) -> tuple[str, str] | None:
        """Return why the two readings cannot be compared, as code and evidence; None if they can."""
        start, end = self.start, self.end
        if start.totals is None and not start.known:
            return NO_READING, "the reading before it was sent did not find its contact, and was not complete"
        if end.totals is None and not end.known:
            return "", "the reading after it was sent did not find its contact, and was not complete"
        if end.totals is None and start.totals is not None:
            return CONTACT_GONE, "its contact is no longer in the account"
        return None

    def _explained(self) -> Judged:
        growth, groups = self.growth(), self._alike()
        kinds = [Alike(same[0].amount, len(same)) for same in groups]
        ranges = explain(kinds, growth.conversions, growth.amount, growth.rounding)
        counted = self._is_counted(growth, kinds, [fewest for fewest, _ in ranges])
        figures = self._figures(growth)
        return {
            row.identity: self._judgement(fate, figures, counted)
            for same, kind, (fewest, most) in zip(groups, kinds, ranges, strict=True)
            for row, fate in zip(same, fates(kind, fewest, most), strict=True)
            if row.identity not in self.loose
        }

    def _alike(self) -> list[list[SentRow]]:
        """Group rows that may be part of the growth: rows in a group are the same to the API."""
        groups: dict[str, list[SentRow]] = defaultdict(list)
        for row in sorted(row for row in self.rows if row.in_doubt or row.identity in self.loose):
            of_its_own = row.identity in self.loose
            groups[row.identity if of_its_own else self.content.get(row.identity, row.identity)].append(row)
        return list(groups.values())

    def _is_counted(self, growth: Growth, kinds: Sequence[Alike], stored: Sequence[int]) -> bool:
        left = growth.amount - sum(n * kind.amount for n, kind in zip(stored, kinds, strict=True))
        whole = sum(stored) == growth.conversions and abs(left) <= growth.rounding
        return bool(self.acknowledged()) and whole

    def _figures(self, growth: Growth) -> str:
        doubts = self.doubts()
        return (
            f"{EVIDENCE} the contact gained {plural(growth.conversions, 'conversion')} and"
            f" {money(amount_of(growth.amount))} of revenue; in doubt {plural(len(doubts), 'row is', 'rows are')} of"
            f" {money(amount_of(sum(row.amount for row in doubts)))}"
        )

    def _judgement(self, fate: Fate, figures: str, counted: bool) -> Judgement:
        if fate is Fate.ABSENT and self.again:
            return Judgement(Fate.OPEN, CONTACT_GONE, _SIGNED_UP_AGAIN)
        why = _ANOTHER if self.loose and fate is Fate.OPEN else CAUSES[_OUTCOME[fate]]
        return Judgement(fate, "" if self.late else AMBIGUOUS, f"{why}: {figures}", counted)


def _within(time: str, start: Boundary, end: Boundary) -> bool:
    """Return whether a time of the account's clock may lie between two readings."""
    if start.read_from > later_by(time, _SKEW):
        return False
    return not end.read_to or time <= later_by(end.read_to, _SKEW)
