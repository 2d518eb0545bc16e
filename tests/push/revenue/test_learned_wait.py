"""How long a call without an answer is waited for, and what turned up late, by which that is learned."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import ABSENT, CHUNKS, ROWS
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.queries.revenue.absent import UNDER_WAY, Counted, Entry, counted, raise_alarm
from pipelines.push.ledger.totals_readings import Found, Totals
from pipelines.push.outcomes import Outcome
from pipelines.push.revenue.turned_up_late import _Found, _learned, _turned_up, _turned_up_on, _verdict
from pipelines.push.revenue.waiting import Patience, patience
from pipelines.settings import load_settings

CONTACT, OF_LIST = "+15550000001", "1"
NOTHING_THEN = Totals(0, 0)


def at(minute: int, second: int = 0) -> str:
    return f"2026-01-01T00:{minute:02}:{second:02}+00:00"


def late(read_from: str | None, amount: int = 5, then: Totals = NOTHING_THEN) -> Entry:
    """A row that was called absent by a reading, of a call of minute 0."""
    totals = (*then, *then)
    return Entry(1, "r", 1, CONTACT, OF_LIST, amount, at(0), read_from, read_from, *totals, Outcome.PENDING)


def found(now: Totals) -> dict[tuple[str | None, str | None], Found]:
    return {(CONTACT, OF_LIST): Found(now, now, None, None)}


def test_revenue_that_turned_up_late_teaches_how_long_to_wait() -> None:
    """Half as much again as the age at which it was seen; where the last look was long ago, that look is it."""
    assert _learned([late(None)], "2026-01-01T00:10:00+00:00") == (600.0, 900.0)
    assert _learned([late("2026-01-01T01:00:00+00:00")], "2026-01-01T09:00:00+00:00") == (32_400.0, 7_200.0)
    assert _learned([late(None)], "2026-01-03T00:00:00+00:00") == (172_800.0, 3_600.0)
    assert tuple(_verdict(Outcome.PENDING, certain=certain).outcome for certain in (True, False)) == (
        Outcome.ACCEPTED,
        Outcome.IN_DOUBT,
    )
    assert _turned_up_on([late(None)], None, [], ("", "")) is None


def test_growth_is_measured_from_the_earliest_reading() -> None:
    """A row that came between two readings would be in the totals of the later one already.

    Where those of its list do not grow, those of all lists of the number show it.
    """
    first, second = late(at(10), 500), late(at(20), 700, Totals(500, 1))
    times = at(30), at(31)
    match = _turned_up([second, first], [], found(Totals(500, 1)), times)
    assert (match.entries, match.certain) == ([first], True)
    elsewhere = {(CONTACT, OF_LIST): Found(NOTHING_THEN, Totals(500, 1), None, None)}
    match = _turned_up([first], [], elsewhere, times)
    assert (match.entries, match.certain) == ([first], True)


@pytest.mark.parametrize(
    ("now", "read_from", "outcome", "is_alarm"),
    [
        (Totals(500, 1), at(10), Outcome.ACCEPTED, True),
        (Totals(500, 1), "2025-12-31T23:59:00+00:00", Outcome.ACCEPTED, False),
        (Totals(1_200, 2), at(10), Outcome.IN_DOUBT, False),
    ],
)
def test_a_row_that_was_not_sent_again_is_on_record_where_it_surely_came_late(
    now: Totals, read_from: str, outcome: Outcome, is_alarm: bool
) -> None:
    """Not where other revenue may be what is there, or where no reading has looked for it since its call."""
    one, of = late(read_from, 500), _Found(found(now))
    of._add_absent([one], [], (at(30), at(31)))
    assert [verdict.outcome for _, verdict in of.verdicts] == [outcome]
    assert (of.late, of.kept) == ([one] if is_alarm else [], [])


def test_calls_are_given_the_longest_of_what_is_set_and_what_calls_have_shown(tmp_path: Path) -> None:
    """Four times the slowest call where nothing is set, and always what was learned; and readings that are apart."""
    unset = load_settings(_env_file=None, data_dir=tmp_path, timeout_seconds=1.0)
    given = unset.model_copy(update={"settle_seconds": 8.0})
    with open_ledger(unset) as ledger:
        assert patience(unset, ledger) == Patience(180.0, 10.0)
        _add_call(ledger, "answered", [], sent_at=at(0), answered_at=at(1, 40))
        assert patience(unset, ledger) == Patience(400.0, 10.0)
        assert patience(given, ledger) == Patience(8.0, 2.0)
        with ledger.begin(REVENUE) as transaction:
            raise_alarm(transaction, [late(at(10))], at(30), 15.0, 20.0)
        assert patience(given, ledger) == Patience(20.0, 5.0)


def test_what_counts_in_a_contact_is_there_when_its_call_or_its_settling_ended(tmp_path: Path) -> None:
    """The later of the two; what is in doubt or under way has no end, and what is pending does not count."""
    with open_ledger(load_settings(_env_file=None, data_dir=tmp_path)) as ledger:
        rows: list[dict[str, Any]] = [
            {"amount": 1},
            {"amount": 2, "outcome": Outcome.ACCEPTED, "settled_at": at(9)},
            {"amount": 3, "outcome": Outcome.IN_DOUBT},
            {"amount": 4, "outcome": Outcome.PENDING},
            {"amount": 5, "contact": "+15550000002"},
        ]
        _add_call(ledger, "answered", rows, answered_at=at(5))
        _add_call(ledger, "lost", [{"amount": 6, "outcome": Outcome.ACCEPTED}])
        _add_call(ledger, "intended", [{"amount": 7}])
        with ledger.begin(REVENUE) as transaction:
            watched = late(at(10))._asdict()
            values = {column.name: watched.get(column.name) for column in ABSENT.c if column.name in watched}
            transaction.execute(sa.insert(ABSENT).values(**values, called_at=at(10), watched=True))
            of_contact = sorted(counted(transaction), key=lambda row: row.amount)
    ends = {1: at(5), 2: at(9), 3: UNDER_WAY, 6: at(0), 7: UNDER_WAY}
    assert of_contact == [
        Counted(CONTACT, OF_LIST, amount, end != UNDER_WAY, at(0), end) for amount, end in ends.items()
    ]


def _add_call(ledger: Ledger, state: str, rows: list[dict[str, Any]], **times: str) -> None:
    """Put a call of minute 0 and its rows on record as they are."""
    call = {
        "dataset": REVENUE,
        "state": state,
        "rows": len(rows),
        "current": 0,
        "bytes": 0,
        "intended_at": at(0),
    }
    with ledger.begin(REVENUE) as transaction:
        (chunk,) = transaction.execute(sa.insert(CHUNKS), {**call, **times}).inserted_primary_key or (0,)
        for row in rows:
            known = {
                "dataset": REVENUE,
                "identity": str(row["amount"]),
                "chunk": chunk,
                "tries": 1,
                "current": True,
            }
            of = {"contact": CONTACT, "list_ref": OF_LIST}
            transaction.execute(sa.insert(ROWS).values(**known, **{**of, **row}))
