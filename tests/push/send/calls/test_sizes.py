"""What calls that were cut off or refused teach about the next ones."""

import pytest

from pipelines.push.send.calls.sizes import SMALL_STEPS, Call, Sizes, cut_note


def answer(sizes: Sizes, times: int = 1, seconds: float = 0.1) -> None:
    for _ in range(times):
        sizes.answered(sizes.rows, 0, seconds)


def test_calls_after_a_lost_one_are_small_and_alone_until_several_are_answered() -> None:
    """A lost call of revenue makes the next ones tens of rows, one at a time; they grow again by answers."""
    sizes = Sizes()
    sizes.lost(1000, 1.0)
    assert (sizes.rows, sizes.alone) == (SMALL_STEPS[0], True)
    answer(sizes)
    assert (sizes.rows, sizes.alone) == (SMALL_STEPS[0], False)
    answer(sizes, 2)
    assert sizes.rows == 2 * SMALL_STEPS[0]
    answer(sizes, 30)
    assert sizes.rows == 1000


def test_calls_that_were_under_way_together_are_one_loss() -> None:
    """Four calls that are lost at once make the next one small, and not smaller than after one."""
    sizes = Sizes()
    for _ in range(4):
        sizes.lost(1000, 1.0)
    assert (sizes.rows, sizes.cuts_in_a_row) == (SMALL_STEPS[0], 1)


def test_small_calls_that_are_lost_become_smaller_and_begin_again() -> None:
    """Down to one row; after that size is not the reason, and rows in doubt are not to take for ever."""
    sizes, seen = Sizes(), []
    sizes.lost(1000, 1.0)
    for _ in range(len(SMALL_STEPS) + 1):
        seen.append(sizes.rows)
        sizes.lost(sizes.rows, 1.0)
    assert seen == [*SMALL_STEPS, SMALL_STEPS[0]]


def test_a_call_that_is_not_full_shows_nothing_about_larger_ones() -> None:
    """The last rows of a wave do not make calls grow."""
    sizes = Sizes()
    sizes.lost(1000, 0.0)
    for _ in range(20):
        sizes.answered(3, 450, 0.1)
    assert sizes.rows == SMALL_STEPS[0]


@pytest.mark.parametrize("per_row", [0.001, 0.002, 0.005, 0.03, 0.3])
def test_behind_a_proxy_that_cuts_long_calls_the_size_is_found_and_kept(per_row: float) -> None:
    """Of an account that takes time by rows, calls get through, and few are lost to find that out."""
    sizes, lost, sent = Sizes(), 0, 0
    for _ in range(400):
        rows = sizes.rows
        if rows * per_row > 1:
            sizes.lost(rows, 1.0)
            lost += 1
        else:
            sizes.answered(rows, 0, rows * per_row)
            sent += rows
    assert lost <= len(SMALL_STEPS)
    assert sizes.rows * per_row >= 0.2 or sizes.rows == 1000


def test_calls_that_may_be_repeated_are_halved_then_quartered() -> None:
    """A cut call of sends is halved; what is cut again without an answer between is quartered, down to one row."""
    sizes, seen = Sizes(), []
    while sizes.rows > 1:
        sizes.cut(sizes.rows, 60.0)
        seen.append(sizes.rows)
    assert seen == [500, 125, 31, 7, 1]
    assert not sizes.alone


def test_a_call_that_is_too_large_is_halved_for_the_rest_of_the_run() -> None:
    """After a 413 no call has more than half of its rows and bytes, however many are answered."""
    sizes = Sizes()
    sizes.too_large(1000, 1_600_000)
    answer(sizes, 50)
    assert (sizes.rows, sizes.bytes) == (500, 800_000)


def test_one_wide_row_does_not_make_all_calls_tiny() -> None:
    """A row that is refused alone says nothing about the others."""
    sizes = Sizes()
    sizes.too_large(1000, 2_200_000)
    sizes.too_large(1, 2_000_000)
    assert (sizes.rows, sizes.bytes) == (500, 1_100_000)


def test_cuts_after_about_the_same_time_are_noticed() -> None:
    """Two calls within a fifth of each other are cut off by a time-out; quick failures and scattered ones are not."""
    sizes = Sizes()
    sizes.lost(1000, 1.05)
    assert sizes.cut_after is None
    sizes.lost(50, 7.0)
    assert sizes.cut_after is None
    sizes.lost(20, 0.95)
    assert sizes.cut_after == pytest.approx(1.0)
    quick = Sizes()
    for _ in range(3):
        quick.lost(50, 0.01)
    assert quick.cut_after is None


def test_the_note_says_who_cuts_and_what_to_do() -> None:
    """A proxy's time-out and our own are distinguished."""
    assert "calls are cut off after about 1.0 s, probably by a proxy" in cut_note(1.02, 30)
    assert "proxy_read_timeout" in cut_note(1.02, 30)
    assert "TRACKLY_TIMEOUT_SECONDS=30" in cut_note(29.0, 30)


def test_a_push_begins_with_what_the_last_one_learned() -> None:
    """Where the latest calls on record were lost, the first ones of the next push are small."""
    sizes = Sizes()
    sizes.replay([Call(1000, 0.2, True), Call(1000, 1.0, False)])
    assert (sizes.rows, sizes.alone, sizes.begun) == (SMALL_STEPS[0], True, False)
    sizes.replay([Call(1000, 1.0, True)] * 5)
    assert not sizes.alone
