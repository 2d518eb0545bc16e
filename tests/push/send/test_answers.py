"""What an answer says of each row."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.push.outcomes import Outcome, Verdict
from pipelines.push.send.answers import attribute
from pipelines.push.send.calls.retries import most_tries, next_limit
from pipelines.trackly.imports import ImportAnswer, RecordError

IDS = [f"m{n}" for n in range(10)]


def error(index: int | None, code: str = "invalid_phone", name: str | None = None) -> RecordError:
    return RecordError(index, name, code, "words")


def outcomes(
    dataset: str, answer: ImportAnswer, *, fresh: bool = True, ids: list[str] = IDS
) -> dict[str, str]:
    return {name: v.outcome.value for name, v in attribute(dataset, answer, ids, fresh=fresh).items()}


def test_named_errors_are_matched_by_index_or_id() -> None:
    """A named row is rejected with the vendor's code and words, be it named by id or by index."""
    answer = ImportAnswer(8, 2, errors=(error(3), error(None, name="m5")))
    verdicts = attribute("sends", answer, IDS, fresh=True)
    expected = Verdict(Outcome.REJECTED, "invalid_phone", "words")
    assert verdicts == {"m3": expected, "m5": expected}


def test_codes_that_may_pass_are_pending() -> None:
    """A failure on the server's side is tried again."""
    assert outcomes("clicks", ImportAnswer(9, 1, errors=(error(0, "save_error"),))) == {"m0": "pending"}


@pytest.mark.parametrize("dataset", ["sends", "clicks", "revenue"])
def test_counters_that_cover_every_row_need_not_name_it(dataset: str) -> None:
    """Rows that are not named are accepted where the counters account for all of them."""
    assert outcomes(dataset, ImportAnswer(10, 0)) == {}


@pytest.mark.parametrize("answer", [ImportAnswer(4, 6), ImportAnswer(9, 0), ImportAnswer(10, 1)])
def test_an_incomplete_answer_accepts_nothing(answer: ImportAnswer) -> None:
    """Where rows failed that are not named, sends go again, and revenue is in doubt."""
    assert set(outcomes("sends", answer).values()) == {"pending"}
    assert set(outcomes("revenue", answer).values()) == {"in_doubt"}


def test_revenue_of_which_nothing_was_stored_may_go_again() -> None:
    """Where every record failed, revenue that is not named is pending and not in doubt."""
    assert set(outcomes("revenue", ImportAnswer(0, 10)).values()) == {"pending"}


@given(skipped=st.integers(0, 10))
def test_duplicates_are_counted_exactly(skipped: int) -> None:
    """As many rows are duplicates as the API skipped, if none can have been ours; else they are accepted."""
    answer = ImportAnswer(10 - skipped, 0, duplicates_skipped=skipped)
    assert list(outcomes("sends", answer).values()) == ["duplicate"] * skipped
    assert outcomes("sends", answer, fresh=False) == {}


def test_duplicates_may_be_counted_as_errors() -> None:
    """An account that does so does not have its calls sent again row by row; nor is a failed row hidden by them."""
    answer = ImportAnswer(3, 7, duplicates_skipped=5, errors=(error(3), error(4)))
    assert outcomes("sends", answer, fresh=False) == {"m3": "rejected", "m4": "rejected"}
    hidden = ImportAnswer(5, 5, duplicates_skipped=2, errors=(error(3), error(4)))
    assert list(outcomes("sends", hidden, fresh=False).values()).count("pending") == 8


def test_single_rows_are_decided_by_their_counters() -> None:
    """A call of one row leaves nothing open."""
    assert outcomes("sends", ImportAnswer(0, 1), ids=["m0"]) == {"m0": "rejected"}
    assert outcomes("revenue", ImportAnswer(1, 1), ids=["m0"]) == {}


@given(rows=st.integers(1, 1000))
def test_chunks_shrink_until_every_row_is_attributed(rows: int) -> None:
    """A row that is not named goes into ever smaller chunks, within the bound on tries."""
    sizes = [rows]
    while sizes[-1] > 1:
        sizes.append(next_limit("not_named", sizes[-1]))
        assert sizes[-1] < sizes[-2]
    assert len(sizes) < most_tries("not_named")


def test_the_only_error_of_a_single_row_is_its_own() -> None:
    """A call of one row needs no index, and an answer that does not say how many succeeded proves no refusal."""
    unplaced = error(None, "offer_not_found")
    assert attribute("clicks", ImportAnswer(0, 1, errors=(unplaced,)), ["m0"], fresh=True) == {
        "m0": Verdict(Outcome.REJECTED, "offer_not_found", "words")
    }
    assert outcomes("revenue", ImportAnswer(None, 0), ids=["m0"]) == {"m0": "in_doubt"}
    assert outcomes("clicks", ImportAnswer(None, 0), ids=["m0"]) == {"m0": "pending"}


def test_revenue_whose_sum_belies_the_named_rows_is_in_doubt() -> None:
    """Where an answer names another row than the one that failed, its sum shows it, and the answer decides no row."""
    amounts = [n * 10_000 for n in range(10)]
    named = (error(3, "contact_not_found"),)
    right = ImportAnswer(9, 1, total_revenue=Decimal(42), errors=named)
    assert set(attribute("revenue", right, IDS, amounts, fresh=True)) == {"m3"}
    wrong = ImportAnswer(9, 1, total_revenue=Decimal(43), errors=named)
    verdicts = attribute("revenue", wrong, IDS, amounts, fresh=True)
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.IN_DOUBT}
    assert len(verdicts) == 10


def test_revenue_whose_count_belies_the_named_rows_is_in_doubt() -> None:
    """Where an answer names a row and counts it as taken in as well, and says no sum, it decides nothing."""
    answer = ImportAnswer(10, 1, errors=(error(3),))
    verdicts = attribute("revenue", answer, IDS, [10_000] * 10, fresh=True)
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.IN_DOUBT] * 10
    alone = attribute("revenue", ImportAnswer(1, 1, errors=(error(0),)), ["m0"], [10_000], fresh=True)
    assert alone["m0"].outcome is Outcome.IN_DOUBT


def test_an_index_beyond_the_call_discredits_the_others() -> None:
    """An answer that counts from 1 is not taken to count from 0."""
    answer = ImportAnswer(8, 2, errors=(error(3), error(10)))
    assert set(outcomes("clicks", answer).values()) == {"pending"}
