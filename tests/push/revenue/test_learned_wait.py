"""How long a call without an answer is waited for, learned from what turned up late."""

from pipelines.push.ledger.queries.revenue.absent import Entry
from pipelines.push.outcomes import Outcome
from pipelines.push.revenue.turned_up_late import _learned, _turned_up_on, _verdict


def test_revenue_that_turned_up_late_teaches_how_long_to_wait() -> None:
    """Half as much again as the age at which it was seen; where the last look was long ago, that look is it."""

    def late(read_from: str | None) -> Entry:
        sent = "2026-01-01T00:00:00+00:00"
        return Entry(
            1, "r", 1, "+15550000001", "1", 5, sent, read_from, read_from, 0, 0, 0, 0, Outcome.PENDING
        )

    assert _learned([late(None)], "2026-01-01T00:10:00+00:00") == (600.0, 900.0)
    assert _learned([late("2026-01-01T01:00:00+00:00")], "2026-01-01T09:00:00+00:00") == (32_400.0, 7_200.0)
    assert _learned([late(None)], "2026-01-03T00:00:00+00:00") == (172_800.0, 3_600.0)
    assert tuple(_verdict(Outcome.PENDING, certain=certain).outcome for certain in (True, False)) == (
        Outcome.ACCEPTED,
        Outcome.IN_DOUBT,
    )
    assert _turned_up_on([late(None)], None, [], ("", "")) is None
