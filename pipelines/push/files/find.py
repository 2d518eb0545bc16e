"""Finds the history files of each dataset by name, in a fixed order, and names every file that is not read.

A file belongs to the dataset that its own name begins with (`sends.csv`, `sends-2024.parquet`,
`sends_eu.ndjson.gz`), else to the dataset that the name of a folder above it begins with (`sends/2024/01.csv`,
`sends-2023/a.csv`, `sends.csv/part-00000`). Folders with other names change nothing. What does not belong here:
reading the files (`parse.relation`).
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.push.files.query_inputs import files_of
from pipelines.push.files.walk import NO_FILE, Entry, walk
from pipelines.settings import Settings
from pipelines.storage import is_there, storage_errors
from pipelines.text.humanize import plural
from schemas.registry import PUSHED

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".sql": "sql",
}
"""Formats by file ending, in upper or lower case."""

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
"""Compressions by the ending after that of the format; for text files only."""

_PASSED_OVER = (".crc", ".md5", ".sha1", ".sha256", ".part")
"""Checksums and incomplete uploads: upload a file under another name, then rename it."""

_NAMED = re.compile(rf"({'|'.join(PUSHED)})(?![a-z])", re.IGNORECASE)
_LIKE = re.compile(r"(?<![a-z])(send|click|revenue)s?(?![a-z])", re.IGNORECASE)
_LIKE_WHICH = {"send": "sends", "click": "clicks", "revenue": "revenue"}
_REMEDIES = {
    **dict.fromkeys(
        (".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), "is a spreadsheet: save each sheet as CSV UTF-8"
    ),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz"), "is an archive: unpack it"),
}
_MOST_NAMED = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of history.

    Attributes:
        path: where the file is.
        dataset: the dataset of its rows.
        format: one of the values of FORMATS.
        compression: "gzip", "zstd", or "" for a file that is not compressed.
        rows: the Parquet file with the result of the query; only for a `.sql` file whose query has run.
        real: the path with links resolved, when the file was found; the file is not read if this has changed.
    """

    path: Path
    dataset: str
    format: str
    compression: str = ""
    rows: Path | None = None
    real: Path | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is named like a dataset but is not read.

    Attributes:
        path: where the file is.
        why: the reason, as the end of a sentence that begins with the name of the file.
        dataset: the dataset that the file is named like.
    """

    path: Path
    why: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The history files that were found.

    Attributes:
        found: the files that are read, by dataset, sorted by path.
        unread: the files that are named like one of the datasets but are not read.
    """

    found: dict[str, list[Source]]
    unread: tuple[Unread, ...] = field(default=())


def find_sources(settings: Settings, datasets: Sequence[str], paths: Sequence[Path] | None = None) -> Sources:
    """Return the files of each dataset, sorted by path; a dataset may have none.

    Args:
        settings: name the folder that is searched when no paths are given.
        datasets: names out of PUSHED.
        paths: files and folders to search instead. A file without a dataset in its name is taken for the dataset that
            is asked for, if there is only one.

    Raises:
        UsageError: a path does not exist, or there is no history at all; the message says what is expected.
        StorageError: a folder cannot be read.
    """
    roots = list(paths) if paths else [settings.history]
    seen = _Seen()
    for root in roots:
        if not is_there(root):
            raise UsageError(
                f"There is no history at {root}.",
                "Name a file or folder that is there." if paths else _expected(settings),
            )
        for entry in _files(root, settings, seen.hidden.append):
            seen.take(entry, root, datasets)
    seen.leave_out(_read_by_queries(seen.found, settings), datasets)
    if not seen.found:
        raise _nothing(seen, roots, settings)
    _tell_of_others(seen)
    return Sources(
        _by_dataset(seen.found, datasets), tuple(sorted(set(seen.unread), key=lambda file: str(file.path)))
    )


def _tell_of_others(seen: "_Seen") -> None:
    """Log the files that belong to no dataset.

    Hidden files are logged for `--verbose` only: their names say that they are not meant, and a person who misses a
    file can look there.
    """
    for path in seen.strays:
        _log.warning(
            "%s is not read: its name does not begin with %s. If it is not history, put _ in front of its name.",
            path,
            " or ".join(PUSHED),
        )
    if hidden := seen.hidden:
        named = ", ".join(path.name for path in hidden[:_MOST_NAMED])
        more = ", ..." if len(hidden) > _MOST_NAMED else ""
        _log.info(
            "%s not read: %s%s.", plural(len(hidden), "hidden file is", "hidden files are"), named, more
        )


def _by_dataset(found: Sequence[Source], datasets: Sequence[str]) -> dict[str, list[Source]]:
    """Group files by dataset, sorted by path; a link and the file that it leads to count once."""
    by_file = {(source.dataset, source.real): source for source in sorted(found, key=_by_path, reverse=True)}
    unique = sorted(by_file.values(), key=_by_path)
    return {name: [source for source in unique if source.dataset == name] for name in datasets}


@dataclass(slots=True)
class _Seen:
    """The files found so far.

    Attributes:
        found: files that are read.
        unread: files that are named like a dataset but are not read.
        strays: files of no dataset.
        hidden: files and folders that are skipped because of their names.
    """

    found: list[Source] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)

    def take(self, entry: Entry, root: Path, datasets: Sequence[str]) -> None:
        """Add a file to the list that it belongs to."""
        path = entry.path
        dataset = _dataset_of(path, root) or _only(datasets, path, root)
        if dataset is None:
            self._take_stray(path, root)
            return
        kind, compression = _format_of(path, root)
        if why := entry.problem or _why_not(path, kind, compression):
            self.unread.append(Unread(path, why, dataset))
        else:
            self.found.append(Source(path, dataset, kind, compression, real=path.resolve()))

    def _take_stray(self, path: Path, root: Path) -> None:
        if like := _like(path, root):
            why = (
                f"looks like {like}, but its name does not begin with that: rename it to {like}-…, or move it"
            )
            self.unread.append(Unread(path, why, like))
        else:
            self.strays.append(path)

    def leave_out(self, queried: set[Path], datasets: Sequence[str]) -> None:
        """Drop files that `.sql` files read, and unread files of datasets that were not asked for."""
        self.found = [source for source in self.found if source.path.resolve() not in queried]
        self.strays = [path for path in self.strays if path.resolve() not in queried]
        asked = (file for file in self.unread if file.dataset in datasets)
        self.unread = [file for file in asked if file.path.resolve() not in queried]


def _nothing(seen: _Seen, roots: Sequence[Path], settings: Settings) -> UsageError:
    """Return the error for a search that found no file to read."""
    if seen.unread:
        named = "; ".join(f"{file.path.name} {file.why}" for file in seen.unread[:_MOST_NAMED])
        return UsageError(f"None of the history can be read: {named}.", _expected(settings))
    names = ", ".join(sorted(path.name for path in seen.strays)[:_MOST_NAMED])
    only = f" (only {names})" if names else ""
    return UsageError(f"There is no history in {', '.join(map(str, roots))}{only}.", _expected(settings))


def without_queries(sources: Sources) -> Sources:
    """Return the sources of a run that no person started: `.sql` files count as not read."""
    unread = [
        Unread(source.path, "is read by a run that no person started only with TRACKLY_SQL_SOURCES=on", name)
        for name, files in sources.found.items()
        for source in files
        if source.format == "sql"
    ]
    found = {name: [s for s in files if s.format != "sql"] for name, files in sources.found.items()}
    return Sources(found, (*sources.unread, *unread))


def refuse_unread(sources: Sources, ignore_unread: bool) -> None:
    """Stop the push before anything is sent if a history file would be overlooked.

    Raises:
        UsageError: there are unread files, and `ignore_unread` is false.
    """
    if not sources.unread:
        return
    named = "; ".join(f"{file.path} {file.why}" for file in sources.unread[:_MOST_NAMED])
    more = len(sources.unread) - _MOST_NAMED
    files = f"{named}{f'; and {more} more' if more > 0 else ''}"
    if ignore_unread:
        _log.warning("Not read: %s.", files)
        return
    raise UsageError(
        f"Nothing was sent, because files of history would be left out: {files}.",
        "Convert, rename or move them, or go on without them: --ignore-unread, or ignore_unread: true in the run's "
        "configuration in Dagster.",
    )


def _files(root: Path, settings: Settings, on_hidden: Callable[[Path], None]) -> Iterator[Entry]:
    with storage_errors("read the folder", root, "TRACKLY_HISTORY_DIR"):
        if root.is_file():
            if not _format_of(root, root)[0]:
                raise UsageError(f"{root} is in no known format.", f"Known: {', '.join(FORMATS)}.")
            yield Entry(root)
            return
        if not root.is_dir():
            raise UsageError(f"{root} {NO_FILE}.", "Name a file or a folder.")
        for entry in walk(root, follow_links=settings.follow_links, on_hidden=on_hidden):
            if not entry.path.name.lower().endswith(_PASSED_OVER):
                yield entry


def _dataset_of(path: Path, root: Path) -> str | None:
    """Return the dataset by the file's name, else by the nearest folder, up to the root, named like a dataset."""
    folders = [root.name, *path.relative_to(root).parts[:-1]] if root.is_dir() else [path.parent.name]
    matches = (_NAMED.match(name) for name in (path.name, *reversed(folders)))
    return next((found[1].lower() for found in matches if found), None)


def _like(path: Path, root: Path) -> str:
    """Return the dataset that a word in the name of a data file or its folders suggests; empty if there is none."""
    end = Path(path.name.lower().removesuffix(".gz").removesuffix(".zst")).suffix
    if end not in (*FORMATS, *_REMEDIES) or end == ".txt":  # a .txt file may hold notes
        return ""
    if path.name.startswith("~"):  # the lock file of a spreadsheet that is open
        return ""
    parts = path.relative_to(root).parts if root.is_dir() else (path.name,)
    found = next((match for part in reversed(parts) if (match := _LIKE.search(part))), None)
    return _LIKE_WHICH[found[1].lower()] if found else ""


def _format_of(path: Path, root: Path) -> tuple[str, str]:
    """Return format and compression by the endings of a name; `part-…` files take the format from their folder."""
    name = Path(path.name.lower())
    compression = COMPRESSIONS.get(name.suffix, "")
    end = (name.with_suffix("") if compression else name).suffix
    if end in FORMATS or not name.name.startswith("part-"):
        return FORMATS.get(end, ""), compression
    folders = [root.name, *path.relative_to(root).parts[:-1]] if root.is_dir() else [path.parent.name]
    ends = (Path(folder.lower()).suffix for folder in reversed(folders))
    return next((FORMATS[end] for end in ends if end in FORMATS), ""), compression


def _why_not(path: Path, kind: str, compression: str) -> str:
    """Return why a file of a dataset is not read; empty if it is read."""
    if not kind:
        end = path.suffix.lower()
        return _REMEDIES.get(
            end, f"has the ending {end}, which is not read" if end else "has no known ending"
        )
    if compression and kind in ("parquet", "sql"):
        return f"is {kind} inside {compression}: unpack it"
    return "" if os.access(path, os.R_OK) else "may not be read by this user"


def _read_by_queries(found: Sequence[Source], settings: Settings) -> set[Path]:
    """Return the files that `.sql` files read: they are input of the queries, not history themselves."""
    queries = [source.path for source in found if source.format == "sql"]
    return {
        path.resolve() for query in queries for path in files_of(query, follow_links=settings.follow_links)
    }


def _by_path(source: Source) -> str:
    return str(source.path)


def _only(datasets: Sequence[str], path: Path, root: Path) -> str | None:
    return datasets[0] if len(datasets) == 1 and path == root else None


def _expected(settings: Settings) -> str:
    return (
        f"Put files named sends, clicks or revenue ({', '.join(FORMATS)}; also sends-2024.csv or a folder "
        f"sends/) into {settings.history}, or set TRACKLY_HISTORY_DIR."
    )
