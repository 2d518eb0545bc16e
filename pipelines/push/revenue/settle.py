"""Settling revenue in doubt by reading: which rows the contacts' totals show to be stored, and which not.

A row counts in one contact. Between two readings of that contact its totals grew by what was acknowledged, by
those rows in doubt that were stored, and by other revenue. Each reading that a row of the contact was sent after is a
boundary, so that a row which stays in doubt does not blur the ones that come later:

    reading 1 ── rows sent ──▶ reading 2 ── rows sent ──▶ reading now

Where several machines push, a reading of one may fall into a call of another, and nobody can tell whether it has
those rows. Such a reading is no boundary, save the first and that of now: there the rows may count or not.

The documentation does not say which contact a row counts in where one phone number is on several lists: that of
the send's list, another one, or all of them. So the totals of the number over all lists are looked at as well. A
row is taken as not stored, and may be sent again, only where both say so, or where the list's totals have just what
was acknowledged, and so show that rows count there.

A contact that has signed up anew may have begun with new totals: these show no row to be absent.
An account may show totals in whole cents where rows have fractions of them. Then a growth is known but for that.
What does not belong here: the arithmetic (`subset_sum`), and reading contacts (`pipelines.pull.contact_totals`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from pipelines.push.ledger.queries.absent import UNDER_WAY
from pipelines.push.ledger.queries.in_doubt import Sent
from pipelines.push.ledger.readings import Found, Totals
from pipelines.push.outcomes import (
    NO_ANSWER,
    NOT_NAMED,
    NOT_SENT,
    RESOLVED,
    SETTLED,
    UNSETTLED,
    Outcome,
    Verdict,
)
from pipelines.push.revenue.subset_sum import Alike, Fate, explain, fates
from pipelines.push.revenue.waiting import Patience, later_by
from schemas.money import CENT, amount_of

NO_READING, CONTACT_GONE, AMBIGUOUS = "no_reading", "contact_gone", "ambiguous"
"""Our codes for rows that a reading could not settle."""

_SKEW = 2
"""Seconds by which a sign-up, noted in whole ones and by the account's clock, may seem early. With more of them, rows
of contacts that are new in the account would stay in doubt for nothing."""

_ANOTHER = "another push sent revenue of this contact while it was read"
_ANEW = "its contact has signed up anew, so that its totals may have begun anew"

_Key = TypeVar("_Key")


class _Judgement(NamedTuple):
    """What the numbers say of a row.

    Attributes:
        fate: its fate.
        code: if it is open, our code; "" where a later reading may tell.
        words: the evidence.
        counted: whether the totals have just what was acknowledged and what is stored, and something was.
    """

    fate: Fate
    code: str
    words: str
    counted: bool = False


_Judged = dict[str, _Judgement]  # by identity


class _Boundary(NamedTuple):
    """A contact's totals at a reading; `totals` None: it was not there; `known` False: it may have been."""

    read_from: str
    read_to: str
    totals: Totals | None
    known: bool
    ours: bool


def settled(
    rows: Sequence[Sent], read_from: str, found: Mapping[tuple[str | None, str | None], Found], *, complete: bool,
    content: Mapping[str, str], seconds: float = 0,
) -> dict[str, Verdict]:  # fmt: skip
    """The verdicts on every row in doubt of this part of the input.

    Args:
        rows: of `ledger.doubt.doubtful`.
        read_from: when the reading of now began.
        found: what it has of their contacts.
        complete: whether it saw every contact.
        content: by identity, what the API was given; rows of one content are the same to it.
        seconds: how long the account may take over a call whose answer was lost, from when it was sent.
    """
    known = [row for row in rows if row.contact is not None]

    def on_phone_of(some: Sequence[Sent]) -> _Judged:
        judged: _Judged = {}
        for same in _grouped(some, lambda row: row.contact).values():
            of = found[same[0].contact, same[0].list_ref]
            now = _Boundary(read_from, "", of.on_phone, complete, ours=True)
            judged |= _judge(same, now, of.phone_since, content, seconds, lambda row: row.on_phone_before)
        return judged

    on_list: _Judged = {}
    for where, some in _grouped(known, lambda row: (row.contact, row.list_ref)).items():
        now = _Boundary(read_from, "", found[where].on_list, complete, ours=True)
        on_list |= _judge(some, now, found[where].since, content, seconds, lambda row: row.on_list_before)
    # What of the list's growth is an accepted row of another list, only the number's totals tell.
    denied = {who for who, of in on_phone_of(known).items() if of.fate is Fate.ABSENT}
    told = {who for who, of in on_list.items() if of.fate is Fate.STORED and who not in denied}
    on_phone = on_phone_of(
        [row._replace(in_doubt=row.in_doubt and row.identity not in told) for row in known]
    )
    unknown = Verdict(Outcome.IN_DOUBT, NO_READING, "it is not on record which contact it counts in")
    verdicts = {row.identity: unknown for row in rows if row.contact is None and row.ours}
    return verdicts | {
        row.identity: _verdict(row, on_list[row.identity], on_phone.get(row.identity))
        for row in known
        if row.in_doubt and row.ours
    }


class Settlement(NamedTuple):
    """What a reading does to the rows in doubt.

    Attributes:
        verdicts: the verdict of each.
        unseen: since when readings have not shown a row; those that this one may have shown are not in it.
        absent: those that are called absent now, and may be sent again.
    """

    verdicts: dict[str, Verdict]
    unseen: dict[str, str]
    absent: list[Sent]


def patiently(
    rows: Sequence[Sent], verdicts: Mapping[str, Verdict], read_from: str, patience: Patience
) -> Settlement:
    """Take from verdicts what is too early to say: that a row is not there yet does not mean that it never will be.

    A row is called absent where its call is old enough and two readings some time apart agree. Until then, and as
    long as the numbers may still become clear, it stays for a later reading. That it is there can be said at once.

    Args:
        rows: as for `settled`.
        verdicts: of `settled`.
        read_from: when the reading of now began.
        patience: how long to wait for what.
    """
    given: dict[str, Verdict] = {}
    unseen: dict[str, str] = {}
    absent: list[Sent] = []
    for row in rows:
        verdict = verdicts.get(row.identity)
        if verdict is None:
            continue
        given[row.identity] = verdict
        old = later_by(row.sent_at, patience.settle) <= read_from
        if verdict.outcome is Outcome.ACCEPTED:
            if row.absent_since:
                unseen[row.identity] = row.absent_since
        elif verdict.outcome is Outcome.PENDING:
            since = row.absent_since or read_from
            unseen[row.identity] = since
            if old and row.absent_since and later_by(since, patience.apart) <= read_from:
                absent.append(row)
            else:
                given[row.identity] = _wait(row, f"not there yet: {verdict.message}")
        elif not old and verdict.code != NO_READING:
            given[row.identity] = _wait(row, verdict.message)
    return Settlement(given, unseen, absent)


def _wait(row: Sent, words: str) -> Verdict:
    return Verdict(Outcome.IN_DOUBT, row.code if row.code in UNSETTLED else NO_ANSWER, words)


def _grouped(rows: Sequence[Sent], key: Callable[[Sent], _Key]) -> dict[_Key, list[Sent]]:
    groups: dict[_Key, list[Sent]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _verdict(row: Sent, on_list: _Judgement, on_phone: _Judgement | None) -> Verdict:
    """By its contact's totals and, where these alone do not show it to be stored, those of its phone number."""
    fate, code, words, counted = on_list
    if on_phone is None:
        return Verdict(Outcome.ACCEPTED, SETTLED, words)
    elsewhere = fate is Fate.ABSENT and not counted
    if on_phone.fate is Fate.STORED and (elsewhere or (fate is not Fate.ABSENT and code == AMBIGUOUS)):
        return Verdict(Outcome.ACCEPTED, SETTLED, f"{on_phone.words}, over all lists of its phone number")
    if fate is Fate.STORED:
        words = "the contact's totals have it, but those of its phone number over all lists do not"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, words)
    if fate is Fate.OPEN:
        return Verdict(Outcome.IN_DOUBT, code or (row.code if row.code in UNSETTLED else NO_ANSWER), words)
    if elsewhere and on_phone.fate is not Fate.ABSENT:
        words = "the contact's totals do not have it, but those of its phone number on another list may"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, words)
    # of a call that named too few of its errors, the row goes again in one that names them all
    return Verdict(Outcome.PENDING, NOT_NAMED if row.code == NOT_NAMED else NOT_SENT, words)


def _judge(
    rows: Sequence[Sent], now: _Boundary, since: str | None, content: Mapping[str, str], seconds: float,
    before: Callable[[Sent], Totals | None],
) -> _Judged:  # fmt: skip
    """The rows of one contact, which signed up at `since`, interval by interval."""

    def ended(row: Sent, boundary: _Boundary) -> str:
        """When the account was done with a row's call, as far as that matters to a reading.

        Of our own lost calls nothing is sent to their contacts until they are settled, so that all that counts in
        a reading of ours is theirs, or of other activity. What was not there at first came later, and other rows may
        have been sent in between: it was called absent.
        """
        lost = row.in_doubt or row.code in (SETTLED, RESOLVED)
        if not lost or (row.ours and boundary.ours):
            return (row.absent_since and row.settled_at) or row.ended_at
        return row.settled_at or max(row.ended_at, later_by(row.sent_at or row.intended_at, seconds))

    def is_loose(row: Sent, boundary: _Boundary) -> bool:
        """Whether the call was under way at a reading."""
        return row.intended_at < (boundary.read_to or UNDER_WAY) and ended(row, boundary) > boundary.read_from

    boundaries = {
        row.read_from: _Boundary(row.read_from, row.read_to, before(row), row.complete, row.ours)
        for row in rows
        if row.read_from and row.read_to
    }
    first, *others = [*(boundaries[at] for at in sorted(boundaries)), now]
    clean = [
        one
        for one in others[:-1]
        if (one.totals is not None or one.known) and not any(is_loose(row, one) for row in rows)
    ]
    judged: _Judged = {
        row.identity: _Judgement(Fate.OPEN, NO_READING, "the contact was not read before it was sent")
        for row in rows
        if row.in_doubt
    }
    for start, end in pairwise([first, *clean, *others[-1:]]):
        inside = [
            row
            for row in rows
            if ended(row, start) > start.read_from and row.intended_at < (end.read_to or UNDER_WAY)
        ]
        loose = {row.identity for row in inside if is_loose(row, start) or is_loose(row, end)}
        anew = since is not None and start.totals is not None and _within(since, start, end)
        late = any(is_loose(row, now) for row in inside)
        judged |= _between(start, end, inside, loose, content, anew=anew, late=late)
    return judged


def _within(time: str, start: _Boundary, end: _Boundary) -> bool:
    """Whether a time of the account's clock may be one between two readings."""
    return start.read_from <= later_by(time, _SKEW) and (
        not end.read_to or time <= later_by(end.read_to, _SKEW)
    )


def _between(
    start: _Boundary, end: _Boundary, rows: Sequence[Sent], loose: Collection[str], content: Mapping[str, str], *,
    anew: bool, late: bool,
) -> _Judged:  # fmt: skip
    """Rows that were sent between two readings.

    Args:
        start: the first of them.
        end: the other one.
        rows: those that may count in the growth between them.
        loose: which of them may also not count in it.
        content: as for `settled`.
        anew: whether the contact may have signed up anew between them.
        late: whether some are loose only as long as no later reading is there.
    """
    doubts = [row for row in rows if row.in_doubt and row.identity not in loose]
    judged = {
        row.identity: _Judgement(Fate.OPEN, "", _ANOTHER)
        for row in rows
        if row.in_doubt and row.identity in loose
    }
    if not doubts:
        return judged
    if problem := _unusable(start, end):
        return judged | {row.identity: _Judgement(Fate.OPEN, *problem) for row in doubts}
    accepted = [row for row in rows if not row.in_doubt and row.identity not in loose]
    open_rows = [row for row in rows if row.in_doubt or row.identity in loose]
    first, last = start.totals or Totals(0, 0), end.totals or Totals(0, 0)
    count = last.conversions - first.conversions - len(accepted)
    amount = last.amount - first.amount - sum(row.amount for row in accepted)
    alike: dict[str, list[Sent]] = defaultdict(list)
    for row in sorted(open_rows):
        alike[row.identity if row.identity in loose else content.get(row.identity, row.identity)].append(row)
    kinds = [Alike(same[0].amount, len(same)) for same in alike.values()]
    words = (
        f"beyond what was acknowledged the contact gained {count} conversions and {amount_of(amount):.4f}"
        f" of revenue; in doubt are {len(doubts)} rows of {amount_of(sum(row.amount for row in doubts)):.4f}"
    )
    if loose:
        words = f"{_ANOTHER}; {words}"
    rounding = 0
    if first.amount % CENT == last.amount % CENT == 0:
        rounding = CENT * sum(row.amount % CENT > 0 for row in rows)
    ranges = explain(kinds, count, amount, rounding)
    stored = [fewest for fewest, _ in ranges]
    left = amount - sum(number * kind.amount for number, kind in zip(stored, kinds, strict=True))
    counted = bool(accepted) and sum(stored) == count and abs(left) <= rounding
    for same, kind, (fewest, most) in zip(alike.values(), kinds, ranges, strict=True):
        for row, fate in zip(same, fates(kind, fewest, most), strict=True):
            if row.identity in loose:
                continue
            if fate is Fate.ABSENT and anew:
                judged[row.identity] = _Judgement(Fate.OPEN, CONTACT_GONE, _ANEW)
                continue
            judged[row.identity] = _Judgement(fate, "" if late else AMBIGUOUS, words, counted)
    return judged


def _unusable(start: _Boundary, end: _Boundary) -> tuple[str, str] | None:
    """Why two readings of a contact cannot be compared."""
    if start.totals is None and not start.known:
        return NO_READING, "the reading before it was sent did not find its contact, and was not complete"
    if end.totals is None and not end.known:
        return "", "the reading after it was sent did not find its contact, and was not complete"
    if end.totals is None and start.totals is not None:
        return CONTACT_GONE, "its contact is no longer in the account"
    return None
