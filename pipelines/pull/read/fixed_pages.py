"""Pages of one size, for a server that gives so many rows whatever number is asked for.

Such pages never overlap, so no row proves that none was missed between two of them (see `windows`). What proves it
is a second reading that finds every page as it was: rows that had changed places would stand on other pages. What
does not belong here: noticing that a server is of that kind (see `pages`).
"""

from itertools import count

from pipelines.process.concurrent import run_all
from pipelines.pull.read.pages import PagedQuery
from pipelines.pull.read.windows import Window

_MOST_READINGS = 4
"""How often all is read at the most, until two readings are equal."""


async def read_twice(paged: PagedQuery, concurrency: int) -> tuple[int, int]:
    """Read all pages until two readings in a row are equal.

    Returns:
        The rows read last, and how many readings there were; 0 where no two were equal.
    """
    before = await _read(paged, concurrency)
    for readings in range(2, _MOST_READINGS + 1):
        again = await _read(paged, concurrency)
        if again == before:
            return sum(again.values()), readings
        before = again
    return sum(before.values()), 0


async def _read(paged: PagedQuery, concurrency: int) -> dict[int, int]:
    """Read every page; the number of rows by the digest of a page, so that one that comes twice counts once."""
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
            ended |= seen.ends and paged.end_is_known  # else a short page is no end: an empty one is
            ended |= not seen.keys or hash(seen.keys) in pages
            if seen.keys:
                pages[hash(seen.keys)] = len(seen.keys)

    await run_all(work() for _ in range(concurrency))
    return pages
