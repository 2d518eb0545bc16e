"""Whether a reply is the page asked for, and what the rows of two pages prove: by the values alone."""

import pytest

from pipelines.pull.decode.row_keys import KEYLESS, Seen
from pipelines.pull.read.page_check import PageCheck
from pipelines.pull.read.pages import in_same_order
from pipelines.pull.read.windows import Window, after
from pipelines.trackly.client import Unreadable

ROWS = tuple(range(KEYLESS, KEYLESS + 20))


def seen(keys: tuple[int, ...] = ROWS, *, page: int | None = None, **more: int | None) -> Seen:
    at = {"per_page": None, "total": None, **more}
    return Seen(keys, page, at["per_page"], at["total"])


@pytest.mark.parametrize(
    ("window", "reply", "why"),
    [
        (Window(2, 20), seen(page=1, total=100), "page 1 came in answer to page 2"),
        (Window(2, 20), seen(page=3, total=100), "page 3 came in answer to page 2"),
        (Window(2, 20), seen(page=2, per_page=10), "10 rows a page came in answer to 20"),
        (
            Window(1, 20),
            Seen((), None, None, 5, absent=True),
            "no array of rows came, and 5 rows are claimed",
        ),
        (Window(2, 20), seen(total=100), "the first page came again in answer to page 2"),
    ],
)
def test_another_page_is_refused(window: Window, reply: Seen, why: str) -> None:
    """The reason names numbers only."""
    check = PageCheck(window, first_keys=ROWS, first_total=100, may_be_last=False)
    with pytest.raises(Unreadable, match=why):
        check(reply)


@pytest.mark.parametrize(
    ("window", "reply", "may_be_last"),
    [
        (Window(3, 20), seen(page=2, total=40), False),  # the last one in place of one beyond the end
        (Window(3, 20), seen(page=2), False),
        (Window(2, 20), seen(page=1), True),
        (Window(1, 20), Seen((), None, None, 0, absent=True), False),
        (Window(2, 20), seen(total=101), False),  # the account has changed: rows may have moved down
        (Window(1, 20), seen(per_page=10), False),
    ],
)
def test_what_may_be_the_page_is_taken(window: Window, reply: Seen, may_be_last: bool) -> None:
    """Servers answer a page beyond the end with the last one, and may give fewer rows a page from the first on."""
    PageCheck(window, first_keys=ROWS, first_total=100, may_be_last=may_be_last)(reply)


@pytest.mark.parametrize(
    ("upper", "lower", "same"),
    [
        ([1, 2, 3], [2, 3, 4], True),
        ([1, 2, 3], [3, 2, 4], False),
        ([1, 2, 1, 3], [1, 2, 3], True),  # one that comes twice tells nothing
        ([1, 2, 1, 3], [3, 1, 2], False),
        ([1, 2], [3, 4], True),
    ],
)
def test_shared_rows_stand_in_one_order(upper: list[int], lower: list[int], same: bool) -> None:
    """Rows with a key that both have once; the others are no evidence."""
    keyed = [[KEYLESS + key for key in keys] for keys in (upper, lower)]
    assert in_same_order(*keyed) is same
    assert in_same_order(upper, lower), "rows without a key prove nothing"


@pytest.mark.parametrize("largest", [1, 2])
def test_tiny_pages_follow_each_other(largest: int) -> None:
    """Better no overlap than no progress."""
    assert [after(position, largest).start for position in (largest, 2 * largest)] == [largest, 2 * largest]
