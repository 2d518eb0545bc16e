"""Settles revenue in doubt by a reading: which rows the contacts' totals show to be stored, and which to be absent.

Each row counts in one contact. `interval` judges the growth of a contact's totals between two readings.

The documentation does not say which contact a row counts in if a phone number is on several lists: the one of the
send's list, another one, or all. So the totals of the number over all lists are examined as well. A row counts as not
stored, and may be sent again, only if both totals say so, or if the list's totals have exactly the acknowledged
revenue, which shows that rows count there.

A row that is not there yet may still come: `patiently` waits before a row is called absent. What does not belong
here: intervals (`interval`), their arithmetic (`subset_sum`), and reading contacts
(`pipelines.pull.derived.contact_totals`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from pipelines.push.ledger.queries.revenue.in_doubt import SentRow
from pipelines.push.ledger.totals_readings import Found
from pipelines.push.outcomes import (
    LEFT_TO_PERSON,
    NO_ANSWER,
    NO_READING,
    NOT_NAMED,
    NOT_SENT,
    SETTLED,
    UNREAD,
    UNSETTLED,
    Outcome,
    Verdict,
)
from pipelines.push.revenue.settle.interval import AMBIGUOUS, Contact, Given, Judged, Judgement
from pipelines.push.revenue.settle.subset_sum import Fate
from pipelines.push.revenue.waiting import Patience, later_by

_Key = TypeVar("_Key")


def settled(
    rows: Sequence[SentRow], read_from: str, found: Mapping[tuple[str | None, str | None], Found], *, complete: bool,
    content: Mapping[str, str], seconds: float = 0,
) -> dict[str, Verdict]:  # fmt: skip
    """Return verdicts on the rows in doubt of this part of the input, except those that no reading can settle.

    Args:
        rows: the rows that `ledger.queries.revenue.in_doubt.doubtful` returns.
        read_from: when the present reading began; ISO 8601, UTC.
        found: the totals of their contacts, by phone number and list.
        complete: whether the reading saw every contact.
        content: by identity, a digest of the record that was sent; equal records are the same to the API.
        seconds: how long the account may work on a call whose answer was lost, from when it was sent.
    """
    known = [row for row in rows if row.contact is not None]
    given = Given(read_from, complete, content, seconds)
    on_list = _on_lists(known, found, given)
    # Only the number's totals show which part of the list's growth is an accepted row of another list.
    stored = _of_fate(on_list, Fate.STORED) - _of_fate(_on_phones(known, found, given), Fate.ABSENT)
    on_phone = _on_phones([_settle_if(row, stored) for row in known], found, given)
    return {
        row.identity: _verdict(row, on_list.get(row.identity), on_phone.get(row.identity))
        for row in rows
        if row.ours and (row.contact is None or row.in_doubt) and row.code not in LEFT_TO_PERSON
    }


def _of_fate(judged: Judged, fate: Fate) -> set[str]:
    return {identity for identity, judgement in judged.items() if judgement.fate is fate}


def _settle_if(row: SentRow, stored: set[str]) -> SentRow:
    return row._replace(in_doubt=False) if row.identity in stored else row


def _on_lists(
    rows: Sequence[SentRow], found: Mapping[tuple[str | None, str | None], Found], given: Given
) -> Judged:
    """Return what the totals of each contact on its list say."""
    judged: Judged = {}
    for where, some in _grouped(rows, lambda row: (row.contact, row.list_ref)).items():
        totals = found[where]
        before = {row.identity: row.on_list_before for row in some}
        judged |= Contact(some, before, totals.on_list, totals.since, given).judge()
    return judged


def _on_phones(
    rows: Sequence[SentRow], found: Mapping[tuple[str | None, str | None], Found], given: Given
) -> Judged:
    """Return what the totals of each phone number over all lists say."""
    judged: Judged = {}
    for some in _grouped(rows, lambda row: row.contact).values():
        totals = found[some[0].contact, some[0].list_ref]
        before = {row.identity: row.on_phone_before for row in some}
        judged |= Contact(some, before, totals.on_phone, totals.phone_since, given).judge()
    return judged


class Settlement(NamedTuple):
    """The consequences of a reading for the rows in doubt.

    Attributes:
        verdicts: the verdict on each row.
        unseen: since when readings have not shown a row; without rows that this reading may have shown.
        absent: rows that are called absent now, and may be sent again.
    """

    verdicts: dict[str, Verdict]
    unseen: dict[str, str]
    absent: list[SentRow]


def patiently(
    rows: Sequence[SentRow], verdicts: Mapping[str, Verdict], read_from: str, patience: Patience
) -> Settlement:
    """Turn verdicts that are too early into waiting: a row that is not there yet may still come.

    A row is called absent if its call is old enough and two readings, some time apart, agree. Until then, or while
    the totals may still become clear, it waits for a later reading. A row that is there is accepted without waiting.

    Args:
        rows: as for `settled`.
        verdicts: the result of `settled`.
        read_from: when the present reading began; ISO 8601, UTC.
        patience: how long to wait.
    """
    done = Settlement({}, {}, [])
    for row in rows:
        verdict = verdicts.get(row.identity)
        if verdict is None:
            continue
        done.verdicts[row.identity] = verdict
        if verdict.outcome is Outcome.PENDING:
            _call_absent(row, verdict, read_from, patience, done)
        elif verdict.outcome is Outcome.ACCEPTED:
            if row.absent_since:
                done.unseen[row.identity] = row.absent_since
        elif verdict.code != NO_READING and not _is_old(row, read_from, patience):
            done.verdicts[row.identity] = _wait(row, verdict.message)
    return done


def _call_absent(
    row: SentRow, verdict: Verdict, read_from: str, patience: Patience, done: Settlement
) -> None:
    """Note a row that this reading does not show: as absent, or as one that must wait."""
    since = row.absent_since or read_from
    done.unseen[row.identity] = since
    seen_twice = row.absent_since is not None and later_by(since, patience.apart) <= read_from
    if seen_twice and _is_old(row, read_from, patience):
        done.absent.append(row)
    else:
        done.verdicts[row.identity] = _wait(row, f"not there yet: {verdict.message}")


def _is_old(row: SentRow, read_from: str, patience: Patience) -> bool:
    return later_by(row.sent_at, patience.settle) <= read_from


def _wait(row: SentRow, text: str) -> Verdict:
    return Verdict(Outcome.IN_DOUBT, _open_code(row), text)


def _open_code(row: SentRow) -> str:
    """Return the code of a row that a later reading may settle."""
    return row.code if row.code in UNSETTLED else NO_ANSWER


def _grouped(rows: Sequence[SentRow], key: Callable[[SentRow], _Key]) -> dict[_Key, list[SentRow]]:
    groups: dict[_Key, list[SentRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _verdict(row: SentRow, on_list: Judgement | None, on_phone: Judgement | None) -> Verdict:
    """Return a verdict by the contact's totals and, if these do not show the row, by those of its phone number."""
    if on_list is None or row.read_from is None:  # readings of other rows say nothing about it
        return Verdict(Outcome.IN_DOUBT, NO_READING, UNREAD)
    if on_phone is None:
        return Verdict(Outcome.ACCEPTED, SETTLED, on_list.text)
    return _of_both(row, on_list, on_phone)


def _of_both(row: SentRow, on_list: Judgement, on_phone: Judgement) -> Verdict:
    fate = on_list.fate
    elsewhere = fate is Fate.ABSENT and not on_list.counted
    if on_phone.fate is Fate.STORED and (elsewhere or on_list.is_ambiguous):
        return Verdict(Outcome.ACCEPTED, SETTLED, f"over all lists of its phone number {on_phone.text}")
    if fate is Fate.STORED:
        text = "the contact's totals have it, but those of its phone number over all lists do not"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, text)
    if fate is Fate.OPEN:
        return Verdict(Outcome.IN_DOUBT, on_list.code or _open_code(row), on_list.text)
    if elsewhere and on_phone.fate is not Fate.ABSENT:
        text = "the contact's totals do not have it, but those of its phone number on another list may"
        return Verdict(Outcome.IN_DOUBT, AMBIGUOUS, text)
    return Verdict(Outcome.PENDING, _code_to_send_again(row), on_list.text)


def _code_to_send_again(row: SentRow) -> str:
    """Return the code for sending again; NOT_NAMED if the call named too few errors, so that the next names all."""
    return NOT_NAMED if row.code == NOT_NAMED else NOT_SENT
