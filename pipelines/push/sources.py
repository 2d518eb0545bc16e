"""Which files hold the history, and of which dataset: found by name, in a fixed order.

A file belongs to the dataset that its name begins with (`sends.csv`, `sends-2024.parquet`, `sends_eu.ndjson`), or
to the one whose folder it lies in (`sends/2024/01.csv`). What does not belong here: reading them (`reading`).
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.storage import is_there, storage_errors
from schemas.registry import PUSHED

FORMATS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".sql": "sql"}
"""Formats by the end of a file's name."""

_MOST_NAMED = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of history.

    Attributes:
        path: where it lies.
        dataset: the dataset that its rows are of.
        format: one of the values of FORMATS.
        compression: "gzip", "zstd", or "" for a file that is not compressed.
        rows: of a `.sql` file whose query has been run, the Parquet file with what it yielded.
    """

    path: Path
    dataset: str
    format: str
    compression: str = ""
    rows: Path | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that is named like a dataset and is not read.

    Attributes:
        path: where it lies.
        why: the reason, as the end of a sentence that begins with its name.
        dataset: whose history it would be.
    """

    path: Path
    why: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The history files that were found.

    Attributes:
        found: by dataset, the files that are read, sorted by path.
        unread: the files that are named like one of the datasets and are not read.
    """

    found: dict[str, list[Source]]
    unread: tuple[Unread, ...] = field(default=())


def find_sources(settings: Settings, datasets: Sequence[str], paths: Sequence[Path] | None = None) -> Sources:
    """The files of each dataset, sorted by path; a dataset may have none.

    Args:
        settings: name the folder that is searched when no paths are given.
        datasets: names out of PUSHED.
        paths: files and folders to take instead. A file whose name tells no dataset is taken for the only one
            that is asked for.

    Raises:
        UsageError: a path does not exist, or there is no history at all; the message says what is expected.
        StorageError: a folder cannot be read.
    """
    roots = list(paths) if paths else [settings.history]
    found: list[Source] = []
    strays: list[Path] = []
    for root in roots:
        if not is_there(root):
            raise UsageError(
                f"There is no history at {root}.",
                "Name a file or folder that is there." if paths else _expected(settings),
            )
        for path in _files(root):
            dataset = _dataset_of(path, root) or _only(datasets, path, root)
            if dataset is None:
                strays.append(path)
            else:
                found.append(Source(path, dataset, FORMATS[path.suffix.lower()]))
    if not found:
        seen = f" (only {', '.join(sorted(path.name for path in strays)[:5])})" if strays else ""
        raise UsageError(f"There is no history in {', '.join(map(str, roots))}{seen}.", _expected(settings))
    for path in strays:
        _log.warning("%s is left out: its name does not begin with %s.", path, " or ".join(PUSHED))
    unique = sorted(set(found), key=lambda source: str(source.path))
    return Sources({name: [source for source in unique if source.dataset == name] for name in datasets})


def without_queries(sources: Sources) -> Sources:
    """The sources of a run that no person started: `.sql` files count as not read."""
    unread = [
        Unread(source.path, "is read by a run that no person started only with TRACKLY_SQL_SOURCES=on", name)
        for name, files in sources.found.items()
        for source in files
        if source.format == "sql"
    ]
    found = {name: [s for s in files if s.format != "sql"] for name, files in sources.found.items()}
    return Sources(found, (*sources.unread, *unread))


def refuse_unread(sources: Sources, ignore_unread: bool) -> None:
    """Stop before anything is sent where a file of history would be overlooked.

    Raises:
        UsageError: there is such a file, and it is not to be ignored.
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
        "Convert, rename or move them, or go on without them: --ignore-unread.",
    )


def _files(root: Path) -> Iterator[Path]:
    with storage_errors("read the folder", root, "TRACKLY_HISTORY_DIR"):
        if root.is_file():
            if root.suffix.lower() not in FORMATS:
                raise UsageError(f"{root} is in no known format.", f"Known: {', '.join(FORMATS)}.")
            yield root
            return
        for path in sorted(root.rglob("*")):
            hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
            if path.suffix.lower() in FORMATS and path.is_file() and not hidden:
                yield path


def _dataset_of(path: Path, root: Path) -> str | None:
    """By the file's own name, else by the nearest folder at or below the root that is named like a dataset."""
    name = re.split(r"[-_. ]", path.name.lower(), maxsplit=1)[0]
    if name in PUSHED:
        return name
    folders = [root.name, *path.relative_to(root).parts[:-1]] if root.is_dir() else [path.parent.name]
    return next((folder for folder in reversed(folders) if folder in PUSHED), None)


def _only(datasets: Sequence[str], path: Path, root: Path) -> str | None:
    return datasets[0] if len(datasets) == 1 and path == root else None


def _expected(settings: Settings) -> str:
    return (
        f"Put files named sends, clicks or revenue ({', '.join(FORMATS)}; also sends-2024.csv or a folder "
        f"sends/) into {settings.history}, or set TRACKLY_HISTORY_DIR."
    )
