"""Whether a reply is the page that was asked for; the client asks again where it is not.

What does not belong here: what follows from a page's rows (`pages`, `windows`).
"""

from dataclasses import dataclass

from pipelines.pull.decode.row_keys import Keys, Seen
from pipelines.pull.read.windows import Window
from pipelines.text.humanize import plural
from pipelines.trackly.client import Unreadable


@dataclass(frozen=True, slots=True)
class PageCheck:
    """Whether a reply is the page that was asked for; called with the reply.

    Attributes:
        window: what was asked for.
        first_keys: the rows of the first page, which must not come again; empty where too few to tell.
        first_total: the total that came with them.
        may_be_last: whether the first page may be the last one, although no total shows it.
    """

    window: Window
    first_keys: Keys
    first_total: int | None
    may_be_last: bool

    def __call__(self, seen: Seen) -> None:
        """Refuse a reply that is not the page asked for.

        Raises:
            Unreadable: another page came, or the first one again, or null for rows that are claimed.
        """
        if wrong := self._wrong_page(seen) or self._wrong_rows(seen):
            raise Unreadable(wrong)

    def _wrong_page(self, seen: Seen) -> str | None:
        """What is wrong with the numbers in the reply's pagination."""
        window = self.window
        if seen.page not in (None, window.page) and not _is_last_instead(window, seen, self.may_be_last):
            return f"page {seen.page} came in answer to page {window.page}"
        if window.page > 1 and seen.per_page and seen.per_page < window.per_page:
            return f"{plural(seen.per_page, 'row')} a page came in answer to {window.per_page}"
        return None

    def _wrong_rows(self, seen: Seen) -> str | None:
        """What is wrong with the reply's rows."""
        window = self.window
        if seen.absent and seen.total is not None and seen.total > window.start:
            return f"no array of rows came, and {plural(seen.total, 'row is', 'rows are')} claimed"
        can_tell = window.page > 1 and self.first_keys and seen.total == self.first_total
        if can_tell and seen.keys == self.first_keys[: window.per_page]:
            return f"the first page came again in answer to page {window.page}"
        return None


def _is_last_instead(window: Window, seen: Seen, may_be_first: bool) -> bool:
    """Whether the last page, by its own number, came in answer to one beyond it."""
    if seen.page is None or seen.page >= window.page:
        return False
    if seen.total is None:
        return seen.page > 1 or may_be_first
    return window.start >= seen.total
