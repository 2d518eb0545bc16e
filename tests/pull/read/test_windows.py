"""Planning of windows, and the proof that a shared row is."""

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pull.read.windows import Window, after, around, linked, plan

LARGEST = st.integers(3, 1000)


@given(largest=LARGEST, count=st.integers(2, 200))
def test_planned_windows_leave_no_gap_and_make_progress(largest: int, count: int) -> None:
    """Each window starts no later than the one before it stops, and reaches further."""
    for upper, lower in pairwise(islice(plan(largest), count)):
        assert lower.start <= upper.stop < lower.stop
        assert 1 <= lower.per_page <= largest


@given(largest=st.integers(50, 1000), count=st.integers(2, 200))
def test_planned_windows_overlap(largest: int, count: int) -> None:
    """On pages of a useful size each window shares at least one planned row with the one before it."""
    for upper, lower in pairwise(islice(plan(largest), count)):
        assert lower.start < upper.stop


@pytest.mark.parametrize(("largest", "most"), [(1000, 1.06), (100, 1.16)])
def test_overlap_is_cheap(largest: int, most: float) -> None:
    """A thousand full pages cost at most 6 in a hundred requests more at 1000 rows a page, 16 at 100."""
    windows = 0
    for window in plan(largest):
        windows += 1
        if window.stop >= 1000 * largest:
            break
    assert windows <= 1000 * most


@given(position=st.integers(0, 10**7), largest=LARGEST)
def test_a_window_after_a_position_holds_the_row_there(position: int, largest: int) -> None:
    """The window that follows a position includes the first row beyond it."""
    window = after(position, largest)
    assert window.start <= position < window.stop


@given(position=st.integers(0, 10**7), largest=LARGEST)
def test_a_window_around_a_position_holds_it(position: int, largest: int) -> None:
    """The window around a position includes the row there."""
    window = around(position, largest)
    assert window.start <= position < window.stop


@given(position=st.integers(2000, 10**6))
def test_a_window_around_a_position_is_centred(position: int) -> None:
    """There is a quarter of a page at the least on either side of the position."""
    window = around(position, 1000)
    assert min(position - window.start, window.stop - position) >= 250


def test_windows_know_their_place() -> None:
    """Page 3 of 10 rows holds rows 20 to 29."""
    assert (Window(3, 10).start, Window(3, 10).stop) == (20, 30)


@given(
    order=st.lists(st.integers(0, 10**6), unique=True, min_size=10, max_size=60),
    data=st.data(),
)
def test_a_chain_of_linked_replies_holds_every_row_that_stayed(order: list[int], data: st.DataObject) -> None:
    """Whatever is inserted and deleted between two reads, replies that share a row miss none that stayed."""
    cut = data.draw(st.integers(1, len(order) - 1))
    first = tuple(order[:cut])
    gone = set(data.draw(st.lists(st.sampled_from(order), max_size=8)))
    later = [row for row in order if row not in gone]
    for number, at in enumerate(data.draw(st.lists(st.integers(0, len(later)), max_size=8))):
        later.insert(at, -1 - number)
    start = data.draw(st.integers(0, len(later)))
    second = tuple(later[start:])
    if linked(first, second):
        assert set(order) - gone <= set(first) | set(second)
