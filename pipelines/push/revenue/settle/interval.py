"""What a contact's totals at readings say of its rows, interval by interval.

Between two readings of a contact its totals grew by what was acknowledged, by those rows in doubt that were stored,
and by other revenue. Each reading that a row of the contact was sent after is a boundary, so that a row which stays
in doubt does not blur the ones that come later:

    reading 1 ── rows sent ──▶ reading 2 ── rows sent ──▶ reading now

Where several machines push, a reading of one may fall into a call of another, and nobody can tell whether it has
those rows. Such a reading is no boundary, except the first and that of now: there the rows may count or not.

A contact that has signed up again may have begun with new totals: these show no row to be absent.
An account may show totals in whole cents where rows have fractions of them. Then a growth is known but for that.
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
"""Our codes for rows that a reading could not settle, beside NO_READING."""

_SKEW = 2
"""Seconds by which a sign-up, noted in whole ones and by the account's clock, may seem early. With more of them, rows
of contacts that are new in the account would stay in doubt for nothing."""

_ANOTHER = "another push sent revenue of this contact while it was read"
_OUTCOME = {Fate.STORED: Outcome.ACCEPTED, Fate.ABSENT: Outcome.PENDING, Fate.OPEN: Outcome.IN_DOUBT}
_SIGNED_UP_AGAIN = "its contact has signed up again, so that its totals may have started again"


class Judgement(NamedTuple):
    """What the numbers say of a row.

    Attributes:
        fate: its fate.
        code: if it is open, our code; "" where a later reading may tell.
        text: the cause, and then the figures that it rests on.
        counted: whether the totals have just what was acknowledged and what is stored, and something was.
    """

    fate: Fate
    code: str
    text: str
    counted: bool = False

    @property
    def is_ambiguous(self) -> bool:
        """Whether the row may be stored, and the numbers allow several readings."""
        return self.fate is not Fate.ABSENT and self.code == AMBIGUOUS


Judged = dict[str, Judgement]
"""By identity."""


class Boundary(NamedTuple):
    """A contact's totals at a reading.

    Attributes:
        read_from, read_to: when the reading began and ended; read_to is "" for that of now.
        totals: None where the contact was not there.
        known: whether that is certain, since the reading saw every contact.
        ours: whether the reading is of this part of the input.
    """

    read_from: str
    read_to: str
    totals: Totals | None
    known: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Given:
    """What is the same for all contacts of a reading.

    Attributes:
        read_from: when it began; ISO 8601, UTC.
        complete: whether it saw every contact.
        content: by identity, what the API was given; rows of one content are the same to it.
        seconds: how long the account may take over a call whose answer was lost, from when it was sent.
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
        totals: those of now; None where it is not there.
        since: when it signed up.
        given: what is the same for all contacts.
    """

    rows: Sequence[SentRow]
    before: Mapping[str, Totals | None]
    totals: Totals | None
    since: str | None
    given: Given

    def judge(self) -> Judged:
        """What its totals say of its rows in doubt."""
        unread = Judgement(Fate.OPEN, NO_READING, UNREAD)
        judged: Judged = {row.identity: unread for row in self.rows if row.in_doubt}
        for start, end in pairwise(self._boundaries()):
            judged |= self._interval(start, end).judge()
        return judged

    def _boundaries(self) -> list[Boundary]:
        """The first reading, those in between of which it is known which rows they have, and that of now."""
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
        """Whether the call was under way at a reading."""
        began = row.intended_at < (boundary.read_to or UNDER_WAY)
        return began and self._ended(row, boundary) > boundary.read_from

    def _ended(self, row: SentRow, boundary: Boundary) -> str:
        """When the account was done with a row's call, as far as that matters to a reading.

        Of our own lost calls nothing is sent to their contacts until they are settled, so that all that counts in
        a reading of ours is theirs, or of other activity. What was not there at first came later, and other rows may
        have been sent in between: it was called absent.
        """
        lost = row.in_doubt or row.code in (SETTLED, RESOLVED)
        if not lost or (row.ours and boundary.ours):
            return (row.absent_since and row.settled_at) or row.ended_at
        last = later_by(row.sent_at or row.intended_at, self.given.seconds)
        return row.settled_at or max(row.ended_at, last)


@dataclass(frozen=True, slots=True)
class Growth:
    """What totals grew by beyond what was acknowledged.

    Attributes:
        conversions: how many.
        amount: how much, in units.
        rounding: by how much the amount may be off.
    """

    conversions: int
    amount: int
    rounding: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The time between two readings of a contact.

    Attributes:
        start: the first of them.
        end: the other one.
        rows: those that may count in the growth between them.
        loose: which of them may also not count in it.
        content: as of `Given`.
        again: whether the contact may have signed up again between them.
        late: whether some are loose only as long as no later reading is there.
    """

    start: Boundary
    end: Boundary
    rows: Sequence[SentRow]
    loose: frozenset[str]
    content: Mapping[str, str]
    again: bool
    late: bool

    def judge(self) -> Judged:
        """What the growth says of the rows in doubt."""
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
        """The rows in doubt that count in this interval, if they count at all."""
        return [row for row in self.rows if row.in_doubt and row.identity not in self.loose]

    def acknowledged(self) -> list[SentRow]:
        """The accepted rows that certainly count in it."""
        return [row for row in self.rows if not row.in_doubt and row.identity not in self.loose]

    def growth(self) -> Growth:
        """What the totals grew by beyond what was acknowledged."""
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
        """Why the two readings cannot be compared: a code and the evidence."""
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
        """Rows that may be in the growth, in groups of those that are the same to the API."""
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
    """Whether a time of the account's clock may be one between two readings."""
    if start.read_from > later_by(time, _SKEW):
        return False
    return not end.read_to or time <= later_by(end.read_to, _SKEW)
