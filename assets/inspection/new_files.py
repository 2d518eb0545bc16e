"""Arriving history files: finds new files, and whether all files are complete. No Dagster here.

A file is complete if its size and modification time have not changed for a while, by this machine's clock and in at
least two looks. Files that a `.sql` file reads count like the file itself. Files with other names while they are
written (`sends.csv.part`, `.sends.csv`) are ignored. What must not go in: reading them, and starting anything
(`schedules`).
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
    """The state of a file when it was last seen.

    Attributes:
        size: bytes.
        changed: its modification time; nanoseconds.
        since: when this state was first seen; seconds.
        started: whether a push was started with the file in this state.
    """

    size: int
    changed: int
    since: float
    started: bool = False


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The result of a look.

    Attributes:
        seen: all files, for the next look.
        new: files in a state that no push was started with.
        growing: new files that may not be complete.
    """

    seen: dict[Path, Seen]
    new: Sequence[Path]
    growing: Sequence[Path]

    @property
    def ready(self) -> bool:
        """Whether a push should start: there are new files and all are complete, since a push takes all files."""
        return bool(self.new) and not self.growing


def to_watch(settings: Settings) -> list[Path]:
    """Return the files that a push without a person would take, with the files that `.sql` files read.

    Raises:
        UsageError: there are no files.
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
        quiet: seconds for which a file must not have changed.
    """
    seen = {path: file for path in files if (file := _seen(path, before.get(path), now))}
    new = [path for path, file in seen.items() if not file.started]
    growing = [path for path in new if seen[path].since == now or now - seen[path].since < quiet]
    return Arrivals(seen, new, growing)


def _seen(path: Path, before: Seen | None, now: float) -> Seen | None:
    """Return a file's current state; None if it was removed after it was listed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if before and (before.size, before.changed) == (status.st_size, status.st_mtime_ns):
        return before
    return Seen(status.st_size, status.st_mtime_ns, now)


def started(arrivals: Arrivals) -> dict[Path, Seen]:
    """Return the states after a push was started with all files; no second push starts for them, also if it fails."""
    return {path: msgspec.structs.replace(file, started=True) for path, file in arrivals.seen.items()}


def to_cursor(seen: dict[Path, Seen]) -> str:
    """Return the states as text, to keep between looks."""
    return msgspec.json.encode({str(path): file for path, file in seen.items()}).decode()


def from_cursor(cursor: str | None) -> dict[Path, Seen]:
    """Return the states from a text of `to_cursor`; empty without a text, or if it has another form."""
    try:
        found = msgspec.json.decode(cursor or "{}", type=dict[str, Seen])
    except msgspec.DecodeError:  # set by hand: every file counts as new, and no row is sent twice
        return {}
    return {Path(path): file for path, file in found.items()}
