"""Settling revenue in doubt by reading: which rows the contacts' totals show to be stored, and which not.

A row counts in one contact. Between two readings of that contact its totals grew by what was acknowledged, by
those rows in doubt that were stored, and by other revenue. Each reading that rows in doubt were sent after is a
boundary, so that a row which stays in doubt does not blur the ones that come later:

    reading 1 ── rows sent ──▶ reading 2 ── rows sent ──▶ reading now

The documentation does not say which contact a row counts in where one phone number is on several lists: that of
the send's list, another one, or all of them. So the totals of the number over all lists are looked at as well. A
row is taken as not stored, and may be sent again, only where both say so.

An account may show totals in whole cents where rows have fractions of them. Then a growth is known but for that.
What does not belong here: the arithmetic (`explain`), and reading contacts (`pipelines.pull.totals`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from pipelines.push.contacts import Found, Totals
from pipelines.push.explain import Alike, Fate, explain, fates
from pipelines.push.ledger_doubt import Sent
from pipelines.push.verdicts import NOT_NAMED, NOT_SENT, Outcome, Verdict

SETTLED = "settled"
"""Our code for rows that a reading has shown to be in the account."""

NO_READING, CONTACT_GONE, AMBIGUOUS = "no_reading", "contact_gone", "ambiguous"
"""Our codes for rows that a reading could not settle."""

_UNIT = 10_000
_CENT = 100

_Key = TypeVar("_Key")
_Judged = dict[str, tuple[Fate, str, str]]  # by identity: its fate, and if open our code and the evidence


class _Boundary(NamedTuple):
    """A contact's totals at a reading; `totals` None: it was not there; `known` False: it may have been."""

    read_from: str
    read_to: str
    totals: Totals | None
    known: bool


def settled(
    rows: Sequence[Sent], read_from: str, found: Mapping[tuple[str | None, str | None], Found], *, complete: bool,
    content: Mapping[str, str],
) -> dict[str, Verdict]:  # fmt: skip
    """The verdicts on every row in doubt of this part of the input.

    Args:
        rows: of `ledger_doubt.doubtful`.
        read_from: when the reading of now began.
        found: what it has of their contacts.
        complete: whether it saw every contact.
        content: by identity, what the API was given; rows of one content are the same to it.
    """
    known = [row for row in rows if row.contact is not None]

    def on_phone_of(some: Sequence[Sent]) -> _Judged:
        judged: _Judged = {}
        for same in _grouped(some, lambda row: row.contact).values():
            now = _Boundary(read_from, "", found[same[0].contact, same[0].list_ref].on_phone, complete)
            judged |= _judge(same, now, content, lambda row: row.on_phone_before)
        return judged

    on_list: _Judged = {}
    for where, some in _grouped(known, lambda row: (row.contact, row.list_ref)).items():
        now = _Boundary(read_from, "", found[where].on_list, complete)
        on_list |= _judge(some, now, content, lambda row: row.on_list_before)
    # What of the list's growth is an accepted row of another list, only the number's totals tell.
    denied = {who for who, (fate, _, _) in on_phone_of(known).items() if fate is Fate.ABSENT}
    told = {who for who, (fate, _, _) in on_list.items() if fate is Fate.STORED and who not in denied}
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


def _grouped(rows: Sequence[Sent], key: Callable[[Sent], _Key]) -> dict[_Key, list[Sent]]:
    groups: dict[_Key, list[Sent]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _verdict(row: Sent, on_list: tuple[Fate, str, str], on_phone: tuple[Fate, str, str] | None) -> Verdict:
    """By its contact's totals and, where these alone do not show it to be stored, those of its phone number."""
    fate, code, words = on_list
    if on_phone is None:
        return Verdict(Outcome.ACCEPTED, SETTLED, words)
    if on_phone[0] is Fate.STORED and (fate is Fate.ABSENT or code == AMBIGUOUS):
        return Verdict(Outcome.ACCEPTED, SETTLED, f"{on_phone[2]}, over all lists of its phone number")
    if fate is Fate.STORED:
        words = "the contact's totals have it, but those of its phone number over all lists do not"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, words)
    if fate is Fate.OPEN:
        return Verdict(Outcome.IN_DOUBT, code, words)
    if on_phone[0] is not Fate.ABSENT:
        words = "the contact's totals do not have it, but those of its phone number on another list may"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, words)
    # of a call that named too few of its errors, the row goes again in one that names them all
    return Verdict(Outcome.PENDING, NOT_NAMED if row.code == NOT_NAMED else NOT_SENT, words)


def _judge(
    rows: Sequence[Sent], now: _Boundary, content: Mapping[str, str], before: Callable[[Sent], Totals | None]
) -> _Judged:
    """The rows of one contact, interval by interval."""
    boundaries = {
        row.read_from: _Boundary(row.read_from, row.read_to, before(row), row.complete)
        for row in rows
        if row.in_doubt and row.read_from and row.read_to
    }
    line = [*(boundaries[at] for at in sorted(boundaries)), now]
    judged: _Judged = {
        row.identity: (Fate.OPEN, NO_READING, "the contact was not read before it was sent")
        for row in rows
        if row.in_doubt
    }
    for start, end in pairwise(line):
        inside = [
            row for row in rows if row.ended_at > start.read_from and row.intended_at < (end.read_to or "~")
        ]
        within = all(row.intended_at >= start.read_to and row.ended_at <= end.read_from for row in inside)
        doubts = [row for row in inside if row.in_doubt]
        if not doubts:
            continue
        if not within:
            words = "another push sent revenue of this contact while it was read"
            judged |= {row.identity: (Fate.OPEN, AMBIGUOUS, words) for row in doubts}
            continue
        judged |= _between(start, end, [row for row in inside if not row.in_doubt], doubts, content)
    return judged


def _between(
    start: _Boundary, end: _Boundary, accepted: Sequence[Sent], doubts: Sequence[Sent], content: Mapping[str, str]
) -> _Judged:  # fmt: skip
    """Rows that were sent between two readings."""
    if problem := _unusable(start, end):
        return {row.identity: (Fate.OPEN, *problem) for row in doubts}
    first, last = start.totals or Totals(0, 0), end.totals or Totals(0, 0)
    count = last.conversions - first.conversions - len(accepted)
    amount = last.amount - first.amount - sum(row.amount for row in accepted)
    alike: dict[str, list[Sent]] = defaultdict(list)
    for row in sorted(doubts):
        alike[content.get(row.identity, row.identity)].append(row)
    kinds = [Alike(same[0].amount, len(same)) for same in alike.values()]
    words = (
        f"beyond what was acknowledged the contact gained {count} conversions and {amount / _UNIT:.4f}"
        f" of revenue; in doubt are {len(doubts)} rows of {sum(row.amount for row in doubts) / _UNIT:.4f}"
    )
    rounding = 0
    if first.amount % _CENT == last.amount % _CENT == 0:
        rounding = _CENT * sum(row.amount % _CENT > 0 for row in (*accepted, *doubts))
    ranges = explain(kinds, count, amount, rounding)
    judged: _Judged = {}
    for same, kind, (fewest, most) in zip(alike.values(), kinds, ranges, strict=True):
        for row, fate in zip(same, fates(kind, fewest, most), strict=True):
            judged[row.identity] = (fate, AMBIGUOUS, words)
    return judged


def _unusable(start: _Boundary, end: _Boundary) -> tuple[str, str] | None:
    """Why two readings of a contact cannot be compared."""
    if start.totals is None and not start.known:
        return NO_READING, "the reading before it was sent did not find its contact, and was not complete"
    if end.totals is None and not end.known:
        return NO_READING, "the reading after it was sent did not find its contact, and was not complete"
    if end.totals is None and start.totals is not None:
        return CONTACT_GONE, "its contact is no longer in the account"
    return None
