"""The count of different rows, whose memory is bounded."""

from pipelines.pull.replies.distinct_rows import Distinct


def test_rows_that_come_again_soon_are_counted_once() -> None:
    """Also where more were read in between than one half of the memory holds; those of long ago count again."""
    found = Distinct()
    for start in (0, 40_000, 20_000):
        found.add(range(start, start + 40_000))
    assert found.count == 80_000
    found.add(range(100_000, 220_000))
    assert found.add(range(10)) == 200_010
