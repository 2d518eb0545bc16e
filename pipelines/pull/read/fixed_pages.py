"""Reads pages of one size, for a server that ignores the requested page size.

Such pages never overlap, so no shared row proves that none was missed between two of them (see `windows`). The proof
is a second reading that finds every page unchanged: rows that had moved would be on other pages. What does not belong
here: detecting such a server (see `pages`).
"""

from itertools import count

from pipelines.process.concurrent import run_all
from pipelines.pull.read.pages import PagedQuery
from pipelines.pull.read.windows import Window

_MOST_READINGS = 4
"""Most readings of all pages, until two are equal."""


async def read_twice(paged: PagedQuery, concurrency: int) -> tuple[int, int]:
    """Read all pages until two readings in a row are equal.

    Returns:
        The number of rows of the last reading, and the number of readings; 0 if no two were equal.
    """
    before = await _read(paged, concurrency)
    for readings in range(2, _MOST_READINGS + 1):
        again = await _read(paged, concurrency)
        if again == before:
            return sum(again.values()), readings
        before = again
    return sum(before.values()), 0


async def _read(paged: PagedQuery, concurrency: int) -> dict[int, int]:
    """Read every page; return the number of rows by a page's digest, so that a repeated page counts once."""
    pages: dict[int, int] = {}
    numbers = count(1)
    ended = False

    async def work() -> None:
        nonlocal ended
        while not ended:
            window = Window(next(numbers), paged.largest)
            if paged.end_is_known and window.start >= (paged.total or 0) > 0:
                return
            seen = await paged.ask(window)
            ended |= seen.ends and paged.end_is_known  # otherwise only an empty page is the end
            ended |= not seen.keys or hash(seen.keys) in pages
            if seen.keys:
                pages[hash(seen.keys)] = len(seen.keys)

    await run_all(work() for _ in range(concurrency))
    return pages
