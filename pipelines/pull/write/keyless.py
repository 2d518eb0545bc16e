"""Rows without a usable key: decides which sightings are the same row, by the rows around them.

Replies overlap, and some pages are read more than once, so one such row may be seen several times; and two of them
may have the same content. Their place in the account's order tells them apart. Two replies that share rows with keys
are aligned by those rows. Between two such neighbours, rows of the same content in the same order are the same row;
so is a row that changed, if no other row came or went there. Replies that share no row with a key are aligned by
their positions, unless other replies prove that two rows differ. Two rows of one reply are never the same row. What
does not belong here: when a key is usable (see `decode.row_keys`), and which sighting of a row is kept (see
`deduplicate`).
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from urllib.parse import parse_qsl

_MOST_COMPARED = 4_000_000
"""Most pairs of rows between two neighbours that are all compared; beyond it, equal contents are paired in order."""

_REACH = 20
"""Rows by which an account may shift between two replies that share no row with a key."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A row without a usable key in one reply.

    Attributes:
        page: the reply's number, in the order of arrival.
        row: its place there.
        content: a digest of it.
    """

    page: int
    row: int
    content: int


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a reply in the order.

    Attributes:
        query: the query without the page.
        start: the position of its first row.
        rows: its number of rows.
    """

    query: tuple[tuple[str, str], ...]
    start: int
    rows: int

    @property
    def stop(self) -> int:
        """The position after its last row."""
        return self.start + self.rows

    @classmethod
    def of(cls, request: str, rows: int) -> "Place":
        """Build the place from a request as the spool has it, such as `GET /contacts?page=2&per_page=990`."""
        given = dict(parse_qsl(request.partition("?")[2], keep_blank_values=True))
        page, per_page = int(given.pop("page", "1")), int(given.pop("per_page", "0"))
        return cls(tuple(sorted(given.items())), (page - 1) * per_page, rows)


class Shared(NamedTuple):
    """A row with a key that is in two replies.

    Attributes:
        first: the number of the reply that came first.
        second: the number of the other.
        row: its place in the first, from 0.
        other_row: its place in the other.
    """

    first: int
    second: int
    row: int
    other_row: int


def latest_sightings(
    sightings: Sequence[Sighting], shared: Iterable[Shared], places: Mapping[int, Place], *, steady: bool
) -> dict[Sighting, Sighting]:
    """Return, for each sighting, the latest sighting of the same row.

    Args:
        sightings: of rows without a usable key.
        shared: the rows with keys that two of their replies share, by pages and then by place in the first.
        places: where each reply stands.
        steady: whether no change of the account was seen, so that a position is always the same row.
    """
    by_page: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in sorted(sightings, key=attrgetter("page", "row")):
        by_page[sighting.page].append(sighting)
    same = _Same(sightings)
    beside: set[tuple[int, int]] = set()
    for (first, second), rows in groupby(shared, key=attrgetter("first", "second")):
        beside.add((first, second))
        anchors = _in_order([(shared_row.row, shared_row.other_row) for shared_row in rows])
        for upper, lower, ends in _between(by_page[first], by_page[second], anchors):
            same.unite(_aligned(upper, lower, ends))
    for first, second in _near(by_page, places, beside):
        shift = places[first].start - places[second].start
        same.unite(_by_position(by_page[first], by_page[second], shift, steady=steady), beside)
    return same.latest()


class _Same:
    """Groups of sightings of the same row; never two of one reply."""

    def __init__(self, sightings: Iterable[Sighting]) -> None:
        self._groups: dict[Sighting, list[Sighting]] = {sighting: [sighting] for sighting in sightings}

    def unite(
        self, pairs: Iterable[tuple[Sighting, Sighting]], apart: Collection[tuple[int, int]] = ()
    ) -> None:
        """Join pairs of sightings into groups.

        Args:
            pairs: two sightings each.
            apart: pairs of replies whose shared rows were all joined before; other sightings of them are different
                rows.
        """
        for one, other in pairs:
            mine, theirs = self._groups[one], self._groups[other]
            if mine is theirs or _are_apart(mine, theirs, apart):
                continue
            mine += theirs
            for sighting in theirs:
                self._groups[sighting] = mine

    def latest(self) -> dict[Sighting, Sighting]:
        return {one: max(group, key=attrgetter("page")) for one, group in self._groups.items()}


def _are_apart(
    mine: Sequence[Sighting], theirs: Sequence[Sighting], apart: Collection[tuple[int, int]]
) -> bool:
    pages = ((one.page, other.page) for one in mine for other in theirs)
    return any(one == other or (min(one, other), max(one, other)) in apart for one, other in pages)


def _in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest selection of pairs, sorted by first place, whose second places are in order too.

    The longest increasing subsequence, by patience sorting: for each length the least second place that such a
    sequence ends with (`tails`), at which pair that is (`ends`), and for each pair the one before it (`before`).
    """
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for at, (_, second) in enumerate(pairs):
        length = bisect_left(tails, second)
        before.append(ends[length - 1] if length else None)
        if length == len(tails):
            tails.append(second)
            ends.append(at)
        else:
            tails[length], ends[length] = second, at
    chosen: list[tuple[int, int]] = []
    at_end = ends[-1] if ends else None
    while at_end is not None:
        chosen.append(pairs[at_end])
        at_end = before[at_end]
    return chosen[::-1]


_OPEN_ABOVE, _CLOSED, _OPEN_BELOW = -1, 0, 1


def _between(
    upper: Sequence[Sighting], lower: Sequence[Sighting], anchors: Sequence[tuple[int, int]]
) -> Iterator[tuple[list[Sighting], list[Sighting], int]]:
    """Yield the rows of two replies between the same two neighbours with keys, and which end is open."""
    firsts, seconds = [one for one, _ in anchors], [other for _, other in anchors]
    left: dict[int, list[Sighting]] = defaultdict(list)
    right: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in upper:
        left[bisect_left(firsts, sighting.row)].append(sighting)
    for sighting in lower:
        right[bisect_left(seconds, sighting.row)].append(sighting)
    for gap in left.keys() & right.keys():
        ends = _OPEN_ABOVE if gap == 0 else _OPEN_BELOW if gap == len(anchors) else _CLOSED
        yield left[gap], right[gap], ends


def _aligned(
    upper: Sequence[Sighting], lower: Sequence[Sighting], ends: int
) -> Iterator[tuple[Sighting, Sighting]]:
    """Yield pairs of sightings of one row in two stretches between the same neighbours."""
    if ends == _OPEN_ABOVE:
        return _aligned(upper[::-1], lower[::-1], _OPEN_BELOW)
    one, other = _contents(upper), _contents(lower)
    least = min(len(one), len(other))
    if one[:least] == other[:least] and (ends == _OPEN_BELOW or len(one) == len(other)):
        return zip(upper, lower, strict=False)
    if len(one) * len(other) > _MOST_COMPARED:
        return _paired_off(upper, lower)
    return _compared(upper, lower, is_open=ends == _OPEN_BELOW)


def _contents(sightings: Sequence[Sighting]) -> list[int]:
    return [sighting.content for sighting in sightings]


def _compared(
    upper: Sequence[Sighting], lower: Sequence[Sighting], *, is_open: bool
) -> Iterator[tuple[Sighting, Sighting]]:
    """Yield pairs of equal content in the same order, and pairs of a row that changed if no other came or went.

    Args:
        upper: the rows of one reply.
        lower: the rows of the other.
        is_open: whether the stretches end with their reply and not at a neighbour: then rows at their ends may
            differ.
    """
    matcher = SequenceMatcher(None, _contents(upper), _contents(lower), autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        at_open_end = is_open and (b == len(upper) or d == len(lower))
        has_changed = kind == "replace" and b - a == d - c and not at_open_end
        if kind == "equal" or has_changed:
            yield from zip(upper[a:b], lower[c:d], strict=True)


def _paired_off(upper: Sequence[Sighting], lower: Sequence[Sighting]) -> Iterator[tuple[Sighting, Sighting]]:
    waiting: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in reversed(upper):
        waiting[sighting.content].append(sighting)
    for sighting in lower:
        if waiting[sighting.content]:
            yield waiting[sighting.content].pop(), sighting


def _near(
    by_page: Mapping[int, Sequence[Sighting]], places: Mapping[int, Place], beside: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of replies to one query that cover nearly the same positions and share no row with a key."""
    spans = sorted((places[page].query, places[page].start, places[page].stop, page) for page in by_page)
    for at, (query, _, stop, page) in enumerate(spans):
        for other_query, start, _, other in spans[at + 1 :]:
            if other_query != query or start >= stop + _REACH:
                break
            pair = (min(page, other), max(page, other))
            if pair not in beside:
                yield pair


def _by_position(
    upper: Sequence[Sighting], lower: Sequence[Sighting], shift: int, *, steady: bool
) -> Iterator[tuple[Sighting, Sighting]]:
    """Yield pairs of sightings of one row, if no row with a key shows how two replies overlap.

    In a steady account, sightings of equal content at one position are one row. In a changing account, they are one
    row if their positions are nearly the same and no other row of their reply has this content.

    Args:
        upper: the rows of one reply.
        lower: the rows of the other.
        shift: the number to add to a place in the first reply to get the place in the other.
        steady: whether no change of the account was seen.
    """
    if steady:
        at = {sighting.row: sighting for sighting in lower}
        here = ((one, at.get(one.row + shift)) for one in upper)
        yield from ((one, other) for one, other in here if other and one.content == other.content)
        return
    alone = _alone(lower)
    for content, one in _alone(upper).items():
        if content in alone and abs(one.row + shift - alone[content].row) <= _REACH:
            yield one, alone[content]


def _alone(sightings: Sequence[Sighting]) -> dict[int, Sighting]:
    counts = Counter(sighting.content for sighting in sightings)
    return {sighting.content: sighting for sighting in sightings if counts[sighting.content] == 1}
