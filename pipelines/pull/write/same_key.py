"""Rows with one key and different content: either two rows of the account, or one that changed during the scan.

A row that changes between two readings is normal, and its latest version is kept. Two rows of one key are proved

- by one reply that holds both;
- if no change of the account was seen, by their neighbours: a row that stays has at least one neighbour again, and a
  row that moves would shift the rows between its places, which the scan would see;
- by two states, if each reading of a state finds the key with the same content as before: one row that changes its
  state would not change back each time.

Without a proof, the latest version is kept, as for any row. What does not belong here: how such rows are published
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
"""How often the content must change between readings to prove two rows; a single row changes once or twice."""

_START, _END = -1, -2
"""Stand for a missing neighbour of the first or the last row of all."""


class Twin(NamedTuple):
    """A row whose key another row has too.

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
        query: the query without the page.
        above: the key of the row before it; None at the beginning of a reply.
        below: the key of the row after it; None at the end.
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
        """Whether both sightings may be one row: they share the content, or a neighbour."""
        same_side = self.above is not None and self.above == other.above
        same_side |= self.below is not None and self.below == other.below
        return self.page != other.page and (self.content == other.content or same_side)

    def is_apart(self, other: "_Sighting") -> bool:
        """Whether both sightings are proved to be two rows."""
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
    """Return rows that are proved to differ from the last-read row of their key.

    Args:
        connection: with `good`, every good row that was read, and `repeated`, the keys read more than once.
        dataset: what the rows are.
        keys: the columns of the key.
        pages: every reply.
        steady: whether no change of the account was seen.

    Returns:
        Rows of the reply in which the key was read last, and rows of earlier replies.
    """
    near = _in_one_reply(connection, dataset, keys)
    if not steady:
        return near, []
    known = {(twin.page, twin.row) for twin in near}
    far = _in_several_replies(connection, dataset, keys, pages)
    return near, [twin for twin in far if (twin.page, twin.row) not in known]


def _in_one_reply(connection: duckdb.DuckDBPyConnection, dataset: Dataset, keys: Sequence[str]) -> list[Twin]:
    """Return rows whose key is twice in the reply where it was read last: all but one."""
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
    """Return rows of one key that are proved to be several, in an account that did not change: all but one."""
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
    """Whether replies beyond the top were requested again."""
    below = Counter(page.request for page in pages if Place.of(page.request, page.rows).start)
    return max(below.values(), default=0) > 1


def _sighting(
    replies: Mapping[int, PageRow], page: int, row: int, content: int, above: int | None, below: int | None
) -> _Sighting:
    """Build a sighting, and note if it is the first or the last row of all.

    Args:
        replies: by number.
        page: the number of its reply.
        row: its place there.
        content: a digest of it.
        above: the key of the row before it, in the same reply.
        below: the key of the row after it.
    """
    reply = replies[page]
    place = Place.of(reply.request, reply.rows)
    if above is None and place.start == row == 0:
        above = _START
    if below is None and row == reply.rows - 1 and reply.total == place.stop:
        below = _END
    return _Sighting(page, row, content, place.query, above, below)


def _others(sightings: Sequence[_Sighting], *, read_twice: bool) -> list[_Sighting]:
    """Return, from sightings of one key, the latest of each row that is proved not to be the last-seen row.

    If everything is read twice, since rows seem to move, another row must also be seen after the last-seen row was.

    Args:
        sightings: the latest first.
        read_twice: see `_are_read_twice`.
    """
    rows = _by_row(sightings)
    published = next(row for row in rows if sightings[0] in row)
    first_seen = min(one.page for one in published)
    latest = [max(row, key=attrgetter("page")) for row in rows if row is not published]
    others = [one for one in latest if not read_twice or one.page >= first_seen]
    published.sort(key=attrgetter("page"), reverse=True)
    return [*_in_other_states(published), *others]


def _by_row(sightings: Sequence[_Sighting]) -> list[list[_Sighting]]:
    """Group sightings of one key by row, as far as several rows are proved."""
    rows: list[list[_Sighting]] = []
    for one in sorted(sightings, key=_Sighting.is_at_an_end):  # sightings inside replies have both neighbours
        mine = _row_of(one, rows)
        if mine is None:
            rows.append([one])
        else:
            mine.append(one)
    return rows


def _row_of(one: _Sighting, rows: Sequence[list[_Sighting]]) -> list[_Sighting] | None:
    """Return the sightings of the same row; None if the sighting is proved to be another row."""
    possible = [row for row in rows if all(one.page != other.page for other in row)]
    like = [row for row in possible if any(map(one.is_like, row))]
    unproven = [row for row in possible if not any(map(one.is_apart, row))]
    return next(iter([*like, *unproven]), None)


def _in_other_states(sightings: Sequence[_Sighting]) -> list[_Sighting]:
    """Return the latest of each other row, if each state had its own content at every reading.

    Args:
        sightings: the latest first.
    """
    by_query: dict[tuple[tuple[str, str], ...], list[_Sighting]] = defaultdict(list)
    for one in sightings:
        by_query[one.query].append(one)
    contents = {query: {one.content for one in seen} for query, seen in by_query.items()}
    last = sightings[0]
    if any(len(seen) > 1 for seen in contents.values()):
        return []
    others = {
        seen[0].content: seen[0] for seen in reversed(by_query.values()) if seen[0].content != last.content
    }
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
