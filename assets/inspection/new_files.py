"""History files that arrive: which are new, and whether all of them are complete. No Dagster here.

A file is complete when its size and its time of change have stood still for a while, by this machine's clock and
over at least two looks. What a `.sql` file reads counts as much as the file itself.
Files named otherwise while they are written (`sends.csv.part`, `.sends.csv`) are not seen
at all. What must not go in: reading them, and starting anything (`schedules`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.errors import UsageError
from pipelines.push.files.find import Source, Unread, find_sources, without_queries
from pipelines.push.files.query_inputs import files_of
from pipelines.settings import Settings
from schemas.registry import PUSHED

_MOST_NAMED = 3


class Seen(msgspec.Struct, frozen=True):
    """A file as it was last seen.

    Attributes:
        size: bytes.
        changed: when it was changed last, as the file system says; nanoseconds.
        since: when it was first seen so; seconds.
        started: whether a push was started with it as it is.
    """

    size: int
    changed: int
    since: float
    started: bool = False


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a look found.

    Attributes:
        seen: all files, for the next look.
        new: those that no push was started with, as they are.
        growing: those among them that may not be complete.
    """

    seen: dict[Path, Seen]
    new: Sequence[Path]
    growing: Sequence[Path]

    @property
    def ready(self) -> bool:
        """Whether a push should start: something is new, and nothing is half there, since a push takes all."""
        return bool(self.new) and not self.growing


def to_watch(settings: Settings) -> list[Path]:
    """The files that a push which no person starts would take, with those that `.sql` files among them read.

    Raises:
        UsageError: there is nothing to take.
        StorageError: a folder cannot be read.
    """
    sources = find_sources(settings, list(PUSHED))
    taken = sources if settings.sql_sources else without_queries(sources)
    files = [source for found in taken.found.values() for source in found]
    if not files and taken.unread:
        raise _nothing_to_take(taken.unread)
    by_queries = _read_by_queries(files, follow_links=settings.follow_links)
    return [*dict.fromkeys([*(source.path for source in files), *sorted(by_queries)])]


def _read_by_queries(files: Sequence[Source], *, follow_links: bool) -> set[Path]:
    queries = [source.path for source in files if source.format == "sql"]
    return {file for path in queries for file in files_of(path, follow_links=follow_links)}


def _nothing_to_take(unread: Sequence[Unread]) -> UsageError:
    left = "; ".join(f"{file.path.name} {file.why}" for file in unread[:_MOST_NAMED])
    return UsageError(f"There is no history to push: {left}.")


def look(files: Iterable[Path], before: dict[Path, Seen], now: float, quiet: float) -> Arrivals:
    """Look at files again.

    Args:
        files: the files that a push would take.
        before: `seen` of the last look.
        now: seconds.
        quiet: for how many of them a file must have stood still.
    """
    seen = {path: file for path in files if (file := _seen(path, before.get(path), now))}
    new = [path for path, file in seen.items() if not file.started]
    growing = [path for path in new if seen[path].since == now or now - seen[path].since < quiet]
    return Arrivals(seen, new, growing)


def _seen(path: Path, before: Seen | None, now: float) -> Seen | None:
    """A file as it is now; None where it went away after it was listed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if before and (before.size, before.changed) == (status.st_size, status.st_mtime_ns):
        return before
    return Seen(status.st_size, status.st_mtime_ns, now)


def started(arrivals: Arrivals) -> dict[Path, Seen]:
    """What was seen, after a push was started with all of it; it is not started again, also if it fails."""
    return {path: msgspec.structs.replace(file, started=True) for path, file in arrivals.seen.items()}


def to_cursor(seen: dict[Path, Seen]) -> str:
    """As text, to be kept between looks."""
    return msgspec.json.encode({str(path): file for path, file in seen.items()}).decode()


def from_cursor(cursor: str | None) -> dict[Path, Seen]:
    """What `to_cursor` made text of; nothing where there is none, or where it is not of this form."""
    try:
        found = msgspec.json.decode(cursor or "{}", type=dict[str, Seen])
    except msgspec.DecodeError:  # somebody has set it by hand; every file is new then, and no row goes twice
        return {}
    return {Path(path): file for path, file in found.items()}
