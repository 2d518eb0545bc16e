"""Checks that a reply is the requested page; otherwise the client asks again.

What does not belong here: what follows from a page's rows (`pages`, `windows`).
"""

from dataclasses import dataclass

from pipelines.pull.decode.row_keys import Keys, Seen
from pipelines.pull.read.windows import Window
from pipelines.text.humanize import plural
from pipelines.trackly.client import Unreadable


@dataclass(frozen=True, slots=True)
class PageCheck:
    """Checks that a reply is the requested page; called with the reply.

    Attributes:
        window: the requested page.
        first_keys: the rows of the first page, which must not come again; empty if there
            are too few rows to decide.
        first_total: the total that came with them.
        may_be_last: whether the first page may be the last one, without a total that shows it.
    """

    window: Window
    first_keys: Keys
    first_total: int | None
    may_be_last: bool

    def __call__(self, seen: Seen) -> None:
        """Refuse a reply that is not the requested page.

        Raises:
            Unreadable: another page came, or the first page again, or null although the total claims rows.
        """
        if wrong := self._wrong_page(seen) or self._wrong_rows(seen):
            raise Unreadable(wrong)

    def _wrong_page(self, seen: Seen) -> str | None:
        """Return the error in the numbers of the reply's pagination, if any."""
        window = self.window
        if seen.page not in (None, window.page) and not _is_last_instead(window, seen, self.may_be_last):
            return f"page {seen.page} came in answer to page {window.page}"
        if window.page > 1 and seen.per_page and seen.per_page < window.per_page:
            return f"{plural(seen.per_page, 'row')} a page came in answer to {window.per_page}"
        return None

    def _wrong_rows(self, seen: Seen) -> str | None:
        """Return the error in the reply's rows, if any."""
        window = self.window
        if seen.absent and seen.total is not None and seen.total > window.start:
            return f"no array of rows came, and {plural(seen.total, 'row is', 'rows are')} claimed"
        can_tell = window.page > 1 and self.first_keys and seen.total == self.first_total
        if can_tell and seen.keys == self.first_keys[: window.per_page]:
            return f"the first page came again in answer to page {window.page}"
        return None


def _is_last_instead(window: Window, seen: Seen, may_be_first: bool) -> bool:
    """Whether the reply is the last page, by its own number, and the request was for a page beyond it."""
    if seen.page is None or seen.page >= window.page:
        return False
    if seen.total is None:
        return seen.page > 1 or may_be_first
    return window.start >= seen.total
