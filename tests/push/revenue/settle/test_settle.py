"""What the contacts' totals say of revenue in doubt, as a computation: growth, explanations, verdicts."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.push.ledger.queries.revenue.absent import UNDER_WAY
from pipelines.push.ledger.queries.revenue.in_doubt import SentRow
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.push.outcomes import UNREAD, Outcome, Verdict, cause
from pipelines.push.revenue.settle.growth import choices
from pipelines.push.revenue.settle.settle import patiently, settled
from pipelines.push.revenue.settle.subset_sum import Alike, Fate, explain, fates
from pipelines.push.revenue.waiting import Patience, _ready

KINDS = st.lists(
    st.builds(Alike, st.sampled_from([0, 1, 2, 3, 5]), st.integers(1, 3)), min_size=1, max_size=4
)


@given(KINDS, st.data())
def test_without_other_revenue_the_truth_is_among_the_explanations(
    kinds: list[Alike], data: st.DataObject
) -> None:
    """Bounds are those of a search of every selection that explains the growth; so the truth lies within."""
    truth = [data.draw(st.integers(0, kind.rows)) for kind in kinds]
    count = sum(truth)
    amount = sum(n * kind.amount for n, kind in zip(truth, kinds, strict=True))
    every = [
        chosen
        for chosen in product(*(range(kind.rows + 1) for kind in kinds))
        if sum(chosen) == count and sum(n * k.amount for n, k in zip(chosen, kinds, strict=True)) == amount
    ]
    found = explain(kinds, count, amount)
    if count == 0:
        assert found == [(0, 0)] * len(kinds)
    assert found == [(min(n), max(n)) for n in zip(*every, strict=True)]


@given(KINDS, st.data(), st.lists(st.sampled_from([0, 1, 2, 4, 7]), min_size=1, max_size=2))
def test_with_other_revenue_nothing_is_claimed_that_is_not_so(
    kinds: list[Alike], data: st.DataObject, other: list[int]
) -> None:
    """Where no selection explains the growth, no row is called stored, and none that is stored is called absent."""
    truth = [data.draw(st.integers(0, kind.rows)) for kind in kinds]
    count = sum(truth) + len(other)
    amount = sum(n * kind.amount for n, kind in zip(truth, kinds, strict=True)) + sum(other)
    explained = any(
        sum(chosen) == count and sum(n * k.amount for n, k in zip(chosen, kinds, strict=True)) == amount
        for chosen in product(*(range(kind.rows + 1) for kind in kinds))
    )
    for n, (fewest, most) in zip(truth, explain(kinds, count, amount), strict=True):
        assert explained or (fewest == 0 and n <= most)


@pytest.mark.parametrize(("count", "amount"), [(-1, 0), (0, 5), (1, -5), (0, -5)])
def test_numbers_that_contradict_one_another_prove_nothing(count: int, amount: int) -> None:
    """A contact that was reset or merged leaves its rows in doubt."""
    assert explain([Alike(5, 1)], count, amount) == [(0, 1)]


def test_growth_that_may_have_been_rounded_never_shows_a_row_to_be_absent() -> None:
    """1.255 that an account shows as 1.26 is stored where rounding is known, and open where it is not."""
    assert explain([Alike(12_550, 1)], 1, 12_600, rounding=100) == [(1, 1)]
    assert explain([Alike(12_550, 1)], 1, 12_600) == [(0, 1)]
    assert explain([Alike(12_550, 1)], 1, 13_600) == [(0, 0)]


def test_rows_that_are_the_same_are_settled_by_number() -> None:
    """Of rows with the same content it does not matter which is there."""
    assert fates(Alike(5, 4), 1, 3) == [Fate.STORED, Fate.OPEN, Fate.OPEN, Fate.ABSENT]


def test_a_great_many_amounts_end_in_doubt_and_soon() -> None:
    """The search is bounded."""
    kinds = [Alike(3**n, 1) for n in range(40)]
    assert explain(kinds, 20, sum(3**n for n in range(0, 40, 2)) + 1)[0] == (0, 1)


def _sent(identity: str, amount: int, ours: bool, call: tuple[int, int], reading: tuple[int, int]) -> SentRow:
    """A row of one contact that had nothing before; in doubt if it is ours. Times are minutes."""
    started, ended, read_from, read_to = (f"2026-01-01T00:{minute:02}:00+00:00" for minute in call + reading)
    code = "no_answer" if ours else ""
    return SentRow(
        identity, "+15550000001", "1", amount, ours, ours, code, 1, started, ended,
        0, 0, 0, 0, read_from, read_to, True,
    )  # fmt: skip


@pytest.mark.parametrize(("now", "outcome"), [(7, "pending"), (12, "accepted"), (9, "in_doubt")])
def test_a_row_is_settled_beside_another_push(now: int, outcome: str) -> None:
    """A call of another push that goes on while the contact is read may be in that reading or not."""
    other = _sent("theirs", 7, ours=False, call=(9, 12), reading=(1, 2))
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    totals = Totals(now, 2 if now > 7 else 1)
    found = {("+15550000001", "1"): Found(totals, totals, None, None)}
    at = "2026-01-01T00:20:00+00:00"
    for rows in ([other, doubt], [other._replace(read_from=None, read_to=None), doubt]):
        verdicts = settled(rows, at, found, complete=True, content={})
        assert {who: verdict.outcome for who, verdict in verdicts.items()} == {"ours": outcome}


def test_a_row_is_settled_beside_one_that_turned_up_late() -> None:
    """Called absent at first, and there at the reading of now: it is part of what the contact grew by since then."""
    late = _sent("late", 7, ours=True, call=(3, 4), reading=(1, 2))._replace(
        in_doubt=False,
        code="settled",
        absent_since="2026-01-01T00:05:00+00:00",
        settled_at="2026-01-01T00:20:00+00:00",
    )
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    for there, outcome in ((Totals(12, 2), "accepted"), (Totals(7, 1), "pending")):
        found = {("+15550000001", "1"): Found(there, there, None, None)}
        verdicts = settled([late, doubt], "2026-01-01T00:20:00+00:00", found, complete=True, content={})
        assert verdicts["ours"].outcome == outcome


def test_a_row_beside_a_call_that_goes_on_is_read_again_later() -> None:
    """What the numbers leave open only until the other push has ended keeps the code of a row not read yet."""
    other = _sent("theirs", 5, ours=False, call=(15, 30), reading=(1, 2))
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    found = {("+15550000001", "1"): Found(Totals(5, 1), Totals(5, 1), None, None)}
    (verdict,) = settled(
        [other, doubt], "2026-01-01T00:20:00+00:00", found, complete=True, content={}
    ).values()
    assert (verdict.outcome, verdict.code) == (Outcome.IN_DOUBT, "no_answer")
    assert "another push" in verdict.message


@pytest.mark.parametrize(
    ("on_list", "on_phone", "outcome", "why"),
    [
        ((5, 1), (5, 1), "accepted", "settled"),
        ((0, 0), (0, 0), "pending", "not_sent"),
        ((0, 0), (5, 1), "accepted", "over all lists of its phone number"),
        ((5, 1), (0, 0), "in_doubt", "but those of its phone number over all lists do not"),
        ((0, 0), (12, 2), "in_doubt", "but those of its phone number on another list may"),
        (None, None, "in_doubt", "its contact is no longer in the account"),
    ],
)
def test_totals_of_the_list_and_of_the_number_decide_together(
    on_list: tuple[int, int] | None, on_phone: tuple[int, int] | None, outcome: str, why: str
) -> None:
    """A row counts on its list, on another one, or nowhere yet; where the two contradict each other it stays open."""
    doubt = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))
    totals = [Totals(*of) if of else None for of in (on_list, on_phone)]
    found = {("+15550000001", "1"): Found(totals[0], totals[1], None, None)}
    at = "2026-01-01T00:20:00+00:00"
    (verdict,) = settled([doubt], at, found, complete=True, content={}).values()
    assert verdict.outcome == outcome
    assert why in (verdict.code, verdict.message) or why in verdict.message
    assert not any(letter.isdigit() for letter in cause(verdict.message, verdict.outcome))
    old = "beyond what was acknowledged the contact gained 1 conversion"  # as earlier versions wrote it
    assert cause(old, verdict.outcome).startswith("the contact's totals ")
    if on_list is None:  # a reading that missed some contacts proves nothing of one that it lacks
        (verdict,) = settled([doubt], at, found, complete=False, content={}).values()
        assert (verdict.code, "did not find its contact" in verdict.message) == ("no_answer", True)
    earlier = _sent("before", 3, ours=True, call=(3, 4), reading=(1, 2))._replace(in_doubt=False)
    for unread in ({"contact": None}, {"read_from": None, "read_to": None}):
        by_hand = settled([earlier, doubt._replace(**unread)], at, found, complete=True, content={})["ours"]
        assert (by_hand.outcome, by_hand.code, by_hand.message) == (Outcome.IN_DOUBT, "no_reading", UNREAD)
    assert not settled([doubt._replace(code="no_reading")], at, found, complete=True, content={})


def test_what_is_too_early_to_say_stays_for_a_later_reading() -> None:
    """A young call without certainty waits; an old one is a person's, and one that was read is never unsaid."""
    row = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))._replace(
        sent_at="2026-01-01T00:14:00+00:00"
    )
    doubtful = Verdict(Outcome.IN_DOUBT, "ambiguous", "perhaps")
    for minute, code in (("15", "no_answer"), ("40", "ambiguous")):
        read_from = f"2026-01-01T00:{minute}:00+00:00"
        done = patiently([row], {"ours": doubtful}, read_from, Patience(settle=180.0, apart=20.0))
        assert [(one.outcome, one.code) for one in done.verdicts.values()] == [(Outcome.IN_DOUBT, code)]


def test_when_a_reading_can_settle_a_row() -> None:
    """Not before its call is old enough; beside a call of another push that goes on, some time after now."""
    at, of = "2026-01-01T00:20:00+00:00", Patience(settle=600.0, apart=30.0)
    row = _sent("ours", 5, ours=True, call=(13, 14), reading=(10, 11))._replace(
        sent_at="2026-01-01T00:14:00+00:00"
    )
    other = _sent("theirs", 7, ours=False, call=(9, 12), reading=(1, 2))._replace(
        in_doubt=True, ended_at=UNDER_WAY
    )
    assert _ready(row, at, of) == "2026-01-01T00:24:00+00:00"
    assert _ready(other, at, of) == "2026-01-01T00:20:30+00:00"
    assert other._replace(phone_amount_before=None).on_phone_before is None


def test_sums_of_very_many_amounts_are_not_all_followed() -> None:
    """Each that is named is the sum of a choice."""
    amounts = [3**n for n in range(18)]
    found = list(choices(amounts))
    assert 20_000 < len(found) < 2**18
    for (count, amount), places in found[::997]:
        assert (count, amount) == (len(places), sum(amounts[place] for place in places))
