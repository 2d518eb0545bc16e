"""Plans which pages to request, and decides whether replies prove that no row was missed. Pure functions.

Page numbers over a newest-first order shift while the account lives: an insert above pushes rows down (a row
repeats), a delete pulls rows up (a row is skipped), and both at once hide in an unchanged total. So totals alone
prove nothing if requests overlap in time. A shared row is the proof:

    A reply is a contiguous slice of the order at one moment. Let A and B be two replies that share a row r.
    A row x that existed throughout keeps its place relative to r. If x lies between the first row of A and r,
    it was in A's slice when A was read; between r and the last row of B, in B's. So a chain of replies, each
    sharing a row with the next, from one that starts at the top to one that ends at the end, holds every row
    that existed throughout, whatever was inserted, deleted or updated meanwhile, in any order of requests.

So windows are planned to overlap by a few rows. The API has only `page` and `per_page`, and pages of one size never
overlap. Pages of slightly different sizes do: page 2 of 990 rows starts at row 990, inside page 1 of 1000. This costs
one extra request in twenty. What does not belong here: requests (see `scan`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.pull.decode.row_keys import KEYLESS, NOBODY

_SMALLEST_SHARE = 0.75
"""Windows are no smaller than this share of the largest page, so that overlaps stay cheap."""

_OVERLAP_SHARE = 100
"""Planned overlap: one row in a hundred of the largest page; it absorbs a shift of as many rows."""

_LEAST_OVERLAP = 2
"""Planned overlap of small pages, if a tenth of a page is that large: one row alone may change its place."""

_COMPANY = 2
"""Number of rows without a key that link two replies."""


@dataclass(frozen=True, slots=True)
class Window:
    """One page to request: rows `start` to `stop` (exclusive, from 0) of the order at the time of the request."""

    page: int
    per_page: int

    @property
    def start(self) -> int:
        """Position of its first row."""
        return (self.page - 1) * self.per_page

    @property
    def stop(self) -> int:
        """Position after its last row."""
        return self.page * self.per_page


def plan(largest: int) -> Iterator[Window]:
    """Yield windows from the top down, each overlapping the one before; without end.

    Args:
        largest: the most rows that the API gives on one page. Below 3, an overlap is not useful, and plain pages are
            planned.
    """
    window = Window(1, largest)
    while True:
        yield window
        window = after(window.stop, largest)


def after(position: int, largest: int) -> Window:
    """Return the window that starts a little before a position and reaches furthest beyond it.

    Args:
        position: the end of the rows known so far.
        largest: the most rows on one page.
    """
    overlap = max(1, largest // _OVERLAP_SHARE, min(_LEAST_OVERLAP, largest // 10))
    start_at_most = max(position - overlap, 0)
    smallest = max(1, int(largest * _SMALLEST_SHARE))

    best, furthest = largest, 0
    for per_page in range(largest, smallest - 1, -1):
        if per_page <= furthest:  # so small a page reaches no further
            break
        reach = per_page - start_at_most % per_page
        if reach > furthest:
            best, furthest = per_page, reach
    if (
        largest < 3 or start_at_most + furthest <= position
    ):  # with tiny pages, progress matters more than overlap
        return Window(position // largest + 1, largest)
    return Window(start_at_most // best + 1, best)


def around(position: int, largest: int) -> Window:
    """Return a window with a position as near to its middle as possible, to join two replies that share no row."""
    position = max(position, 0)
    if position < largest // 2:
        return Window(1, largest)
    candidates = (
        Window(position // per_page + 1, per_page)
        for per_page in range(largest, max(1, int(largest * _SMALLEST_SHARE)) - 1, -1)
    )
    return max(candidates, key=lambda window: min(position - window.start, window.stop - position))


def linked(earlier: Sequence[int], later: Sequence[int]) -> bool:
    """Whether two replies share a row.

    One row with a key is enough. Rows without a key are known only by their content, which other rows may share. Two
    such rows are needed, with the same distance in both replies, and each with content that is unique there.

    Args:
        earlier: row keys of one reply (see `decode.row_keys`).
        later: row keys of the other reply.
    """
    shared = set(earlier).intersection(later)
    if any(is_keyed(key) for key in shared):
        return True
    shared.discard(NOBODY)
    if len(shared) < _COMPANY:
        return False
    counts = Counter(earlier), Counter(later)
    once = [key for key in shared if counts[0][key] == counts[1][key] == 1]
    shifts = Counter(earlier.index(key) - later.index(key) for key in once)
    return max(shifts.values(), default=0) >= _COMPANY


def is_keyed(key: int) -> bool:
    """Whether a row's integer stands for a usable key, not for its content."""
    return key >= KEYLESS


def top_of(keys: Sequence[int]) -> Sequence[int]:
    """Return the rows of a reply down to the first one with a key: if they are unchanged, no row came above."""
    first = next((at for at, key in enumerate(keys) if is_keyed(key)), len(keys))
    return keys[: first + 1]


def ending_of(keys: Sequence[int]) -> Sequence[int]:
    """Return the rows of a reply from the last one with a key on; all rows if none has a key."""
    last = next((at for at in range(len(keys) - 1, 0, -1) if is_keyed(keys[at])), 0)
    return keys[last:]


def reaches_further(lower: Sequence[int], upper: Sequence[int]) -> bool:
    """Whether the first of two replies that share a row continues beyond the end of the second.

    It does if it has a row with a key that the other lacks, or the other's last row with a key and more rows below
    that.
    """
    ending = ending_of(lower)
    last = ending[0] if is_keyed(ending[0]) else ending[-1]
    if last not in upper or not is_keyed(last):
        return last not in upper
    return len(ending) > len(upper) - upper.index(last)
