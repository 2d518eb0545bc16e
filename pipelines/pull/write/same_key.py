"""Rows of one key and other content: two rows that the account served, or one that changed while it was read.

A row that changes between two readings is normal, and its latest version stays. Two rows of one key are proven

- by one reply that holds both;
- where the account was not seen to change, by their neighbours: a row that stays in its place has at least one of
  them again, and one that moves would shift the rows between its places, which the scan sees;
- by two states of which each reading in turn finds the key with the content that it had there before: one row that
  changes its state does not go back each time.

What does not prove it leaves the latest version, as of any row. What does not belong here: what becomes of such rows
(`deduplicate`), and rows without a key (`keyless`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

import duckdb

from pipelines.pull.write.keyless import Place
from schemas.columns import Dataset
from schemas.own_tables.sync import PageRow

_TURNS = 3
"""How often the content must change from one reading to the next; one row changes once or twice."""

_START, _END = -1, -2
"""In place of a neighbour, where a row is the first or the last of all."""


class Twin(NamedTuple):
    """A row of which another one has the key.

    Attributes:
        page: the number of its reply.
        row: its place there.
        reason: why it is not published.
    """

    page: int
    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A row in one reply.

    Attributes:
        page: the reply's number, in the order of arrival.
        row: its place there.
        content: a digest of it.
        query: what was asked for, apart from the page.
        above: what distinguishes the row before it; None at the beginning of a reply.
        below: the same of the row after it.
    """

    page: int
    row: int
    content: int
    query: tuple[tuple[str, str], ...]
    above: int | None
    below: int | None

    def is_at_an_end(self) -> bool:
        """Whether it is the first or the last row of its reply."""
        return self.above is None or self.below is None

    def is_like(self, other: "_Sighting") -> bool:
        """Whether something speaks for one row: its content, or a neighbour."""
        same_side = self.above is not None and self.above == other.above
        same_side |= self.below is not None and self.below == other.below
        return self.page != other.page and (self.content == other.content or same_side)

    def is_apart(self, other: "_Sighting") -> bool:
        """Whether two rows are proven."""
        if self.page == other.page:
            return True
        if self.query != other.query or self.is_like(other):
            return False
        sides = [
            {mine, theirs}
            for mine, theirs in ((self.above, other.above), (self.below, other.below))
            if mine is not None and theirs is not None
        ]
        return len(sides) > 1 or any(side & {_START, _END} for side in sides)


def twins(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    keys: Sequence[str],
    pages: Sequence[PageRow],
    *,
    steady: bool,
) -> tuple[list[Twin], list[Twin]]:
    """Rows that are proven to be others than the row of their key that was read last.

    Args:
        connection: with `good`, every good row that was read, and `repeated`, the keys read more than once.
        dataset: what the rows are.
        keys: the columns that tell its rows apart.
        pages: every reply.
        steady: whether the account was not seen to change.

    Returns:
        Those of the reply that the key was last read from, and those of earlier ones.
    """
    near = _in_one_reply(connection, dataset, keys)
    if not steady:
        return near, []
    known = {twin[:2] for twin in near}
    far = _in_several_replies(connection, dataset, keys, pages)
    return near, [twin for twin in far if twin[:2] not in known]


def _in_one_reply(connection: duckdb.DuckDBPyConnection, dataset: Dataset, keys: Sequence[str]) -> list[Twin]:
    """Rows whose key stands twice in the reply it was last read from: all but one."""
    key = ", ".join(keys)
    found = connection.execute(
        f"SELECT page, row, content = arg_max(content, read_order) OVER (PARTITION BY {key}) AS same, "
        f"read_order < latest AS earlier FROM (SELECT *, {_content(dataset)} AS content FROM good) "
        f"JOIN repeated USING ({key}) WHERE page = last_page"
    ).fetchall()
    return [Twin(page, row, _same_reply(dataset, same=same)) for page, row, same, earlier in found if earlier]


def _in_several_replies(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, keys: Sequence[str], pages: Sequence[PageRow]
) -> list[Twin]:
    """Rows of one key that are proven to be several, where the account did not change: all but one."""
    key = ", ".join(keys)
    connection.execute(
        f"CREATE TEMP TABLE differing AS SELECT {key}, page, row, content "
        f"FROM (SELECT *, {_content(dataset)} AS content FROM good SEMI JOIN repeated USING ({key})) "
        f"WHERE {' AND '.join(f'{name} IS NOT NULL' for name in dataset.key)} "
        f"QUALIFY min(content) OVER (PARTITION BY {key}) <> max(content) OVER (PARTITION BY {key})"
    )
    rows = connection.execute(
        "WITH beside AS (SELECT page, row, lag(row_key) OVER of_page AS above, lead(row_key) OVER of_page AS below "
        "FROM good SEMI JOIN differing USING (page) WINDOW of_page AS (PARTITION BY page ORDER BY row)) "
        f"SELECT dense_rank() OVER (ORDER BY {key}), page, row, content, above, below "
        "FROM differing JOIN beside USING (page, row) ORDER BY page DESC, row DESC"
    ).fetchall()
    replies = {page.page: page for page in pages}
    by_key: dict[int, list[_Sighting]] = defaultdict(list)
    for number, *row in rows:
        by_key[number].append(_sighting(replies, *row))
    reason = f"{_named(dataset)}: another row that was served has this key too"
    return [
        Twin(one.page, one.row, reason)
        for sightings in by_key.values()
        for one in _others(sightings, read_twice=_are_read_twice(pages))
    ]


def _are_read_twice(pages: Sequence[PageRow]) -> bool:
    """Whether replies beyond the top were asked for again."""
    below = Counter(page.request for page in pages if Place.of(page.request, page.rows).start)
    return max(below.values(), default=0) > 1


def _sighting(
    replies: Mapping[int, PageRow], page: int, row: int, content: int, above: int | None, below: int | None
) -> _Sighting:
    """A sighting, with what it is known to be the first or the last of.

    Args:
        replies: by number.
        page: the number of its reply.
        row: its place there.
        content: a digest of it.
        above: what distinguishes the row before it, in the same reply.
        below: the same of the row after it.
    """
    reply = replies[page]
    place = Place.of(reply.request, reply.rows)
    if above is None and place.start == row == 0:
        above = _START
    if below is None and row == reply.rows - 1 and reply.total == place.stop:
        below = _END
    return _Sighting(page, row, content, place.query, above, below)


def _others(sightings: Sequence[_Sighting], *, read_twice: bool) -> list[_Sighting]:
    """Of sightings of one key, the latest of each row that is proven not to be the one that was seen last.

    Where all is read twice, since rows seem to change their places, another row is there after that one was, too.

    Args:
        sightings: the latest first.
        read_twice: see `_are_read_twice`.
    """
    rows = _by_row(sightings)
    published = next(of for of in rows if sightings[0] in of)
    first_seen = min(one.page for one in published)
    latest = [max(of, key=attrgetter("page")) for of in rows if of is not published]
    others = [one for one in latest if not read_twice or one.page >= first_seen]
    published.sort(key=attrgetter("page"), reverse=True)
    return [*_in_other_states(published), *others]


def _by_row(sightings: Sequence[_Sighting]) -> list[list[_Sighting]]:
    """Sightings of one key put together by the row that they are of, as far as several are proven."""
    rows: list[list[_Sighting]] = []
    for one in sorted(sightings, key=_Sighting.is_at_an_end):  # in the middle of replies more is known
        mine = _row_of(one, rows)
        if mine is None:
            rows.append([one])
        else:
            mine.append(one)
    return rows


def _row_of(one: _Sighting, rows: Sequence[list[_Sighting]]) -> list[_Sighting] | None:
    """The sightings of the same row; None where it is proven to be none of them."""
    possible = [of for of in rows if all(one.page != other.page for other in of)]
    like = [of for of in possible if any(map(one.is_like, of))]
    unproven = [of for of in possible if not any(map(one.is_apart, of))]
    return next(iter([*like, *unproven]), None)


def _in_other_states(sightings: Sequence[_Sighting]) -> list[_Sighting]:
    """The latest of each other row, where each state had a content of its own whenever it was read.

    Args:
        sightings: the latest first.
    """
    by_query: dict[tuple[tuple[str, str], ...], list[_Sighting]] = defaultdict(list)
    for one in sightings:
        by_query[one.query].append(one)
    contents = {query: {one.content for one in of} for query, of in by_query.items()}
    last = sightings[0]
    if any(len(of) > 1 for of in contents.values()):
        return []
    others = {of[0].content: of[0] for of in reversed(by_query.values()) if of[0].content != last.content}
    return [other for other in others.values() if _takes_turns(sightings, other, last)]


def _takes_turns(sightings: Sequence[_Sighting], other: _Sighting, last: _Sighting) -> bool:
    contents = [one.content for one in sightings if one.content in (other.content, last.content)]
    return sum(before != after for before, after in pairwise(contents)) >= _TURNS


def _content(dataset: Dataset) -> str:
    return f"hash(row({', '.join(dataset.columns)}, extra))"


def _same_reply(dataset: Dataset, *, same: bool) -> str:
    if same:
        return "the key stands on another row of the same reply too"
    return f"{_named(dataset)}: another row of the same reply has this key too"


def _named(dataset: Dataset) -> str:
    return f"same {' and '.join(dataset.key)}, other content"
