"""The classifier: retry after so long, retry with backoff, or give up with an error."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import OutcomeUnknown, RequestError, ServiceError, TracklySyncError
from pipelines.trackly.failures import Failure, Kind
from pipelines.trackly.retries import LONGEST_RETRY_AFTER, retry_after, wait_or_error

NOW = datetime(2025, 3, 15, 14, 30, tzinfo=UTC)
PROOF = {Kind.BARRED, Kind.UNREACHABLE, Kind.BUSY, Kind.REFUSED}
FINAL = {Kind.BARRED, Kind.REFUSED, Kind.DEPRECATED, Kind.TOO_LONG, Kind.PAGE_FINAL}
PATIENT = {Kind.BUSY, Kind.PAGE_BUSY}


@st.composite
def failures(draw: st.DrawFn) -> Failure:
    kind = draw(st.sampled_from(Kind))
    asked = (
        draw(st.none() | st.floats(1, LONGEST_RETRY_AFTER))
        if kind in (Kind.BUSY, Kind.PAGE_BUSY, Kind.TROUBLE)
        else None
    )
    return Failure(kind, "reason", retry_after=asked, error=RequestError("no") if kind in FINAL else None)


@given(failures(), st.integers(1, 50), st.floats(-10, 3600), st.booleans())
def test_the_classifier_keeps_its_promises(
    failure: Failure, attempts: int, left: float, repeatable: bool
) -> None:
    """It never repeats on a doubt, never beyond the bounds, never after a refusal, and only ever says why."""
    decision = wait_or_error(
        failure, attempts=attempts, left=left, repeatable=repeatable, what="GET /x at host"
    )
    again = not isinstance(decision, TracklySyncError)
    if again:
        assert decision is True or decision == failure.retry_after
        assert left > 0
        assert failure.kind not in FINAL
        assert repeatable or failure.kind in PROOF
        assert (failure.retry_after or 0) <= left
        assert failure.kind in PATIENT or attempts < 10
    elif not repeatable and failure.kind not in PROOF:
        assert type(decision) is OutcomeUnknown
    elif failure.kind in FINAL:
        of_the_way = failure.kind in (Kind.BARRED, Kind.DEPRECATED)
        assert type(decision) is RequestError
        assert decision.message == ("no" if of_the_way else "GET /x at host: no")
    else:
        assert type(decision) is ServiceError
        assert "GET /x at host" in decision.message
        assert decision.remedy


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in FINAL])
def test_a_first_failure_of_a_read_is_tried_again(kind: Kind) -> None:
    """With time left, each transient kind is tried again after the usual backoff."""
    assert wait_or_error(Failure(kind, "x"), attempts=1, left=120, repeatable=True, what="x") is True


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("1.5", 1.5),
        ("0", None),
        ("-3", None),
        ("nan", None),
        ("inf", LONGEST_RETRY_AFTER),
        ("31536000", LONGEST_RETRY_AFTER),
        ("soon", None),
        ("", None),
        (format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20.0),
        (format_datetime(NOW - timedelta(seconds=20), usegmt=True), None),
        (format_datetime(NOW + timedelta(days=300), usegmt=True), LONGEST_RETRY_AFTER),
        ("Sat, 15 Mar 2025 14:30:20 -0000", 20.0),
    ],
)
def test_retry_after_takes_seconds_and_dates(value: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates are understood, absurd ones capped, and useless ones left to the backoff."""
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_retry_after_never_fails(value: str) -> None:
    """Whatever the header says, the wait is none or from 1 to 60 seconds."""
    seconds = retry_after(value, NOW)
    assert seconds is None or 1 <= seconds <= LONGEST_RETRY_AFTER
