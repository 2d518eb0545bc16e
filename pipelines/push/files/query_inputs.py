"""The files that a `.sql` file reads: those that match the names in its query, all below its own folder.

Three places need this list: the check whether a stage is current, the sensor of new history, and the check for unread
files. What does not belong here: the text of the query (`query_statement`), and running it (`stage.query_cage`).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

import duckdb

from pipelines.errors import TracklySyncError, UsageError
from pipelines.push.files.query_statement import Query, Scan, parse
from pipelines.push.files.walk import LEADS_OUT, problem_of
from pipelines.storage import storage_errors

_PATTERN = re.compile(r"[*?\[]")
_REACH = "A .sql source reads only files of its own folder and of folders in it, by names from there."


def inputs(query: Query, *, follow_links: bool) -> tuple[Path, ...]:
    """Return the files that a query reads, each once, sorted by path.

    Args:
        query: the query.
        follow_links: whether links may lead out of the query's folder.

    Raises:
        UsageError: the query reads a file that does not exist, or one that it may not read.
    """
    found: set[Path] = set()
    for scan in query.scans:
        for name in scan.names:
            matches = list(_matches(query.path, name))
            if not matches:
                raise UsageError(
                    f"{query.path} cannot run: No files found that match `{name}`.",
                    f"Correct it. {_REACH}",
                )
            for match in matches:
                _check(query.path, scan, match, follow_links=follow_links)
            found.update(matches)
    return tuple(sorted(found))


def files_of(path: Path, *, follow_links: bool) -> tuple[Path, ...]:
    """Return the files that a `.sql` file reads, without the `.sql` file; empty if the query cannot be used."""
    try:
        return inputs(parse(path), follow_links=follow_links)
    except TracklySyncError:  # the intake raises the reason later
        return ()


def inputs_of(path: Path, warehouse: Path, *, follow_links: bool) -> tuple[Path, ...]:
    """Return the files that the rows of a `.sql` file depend on, with the warehouse if the query reads it.

    Args:
        path: the `.sql` file.
        warehouse: the warehouse file, which the query may read too.
        follow_links: whether links may lead out of the query's folder.

    Raises:
        UsageError: the query cannot be used.
    """
    query = parse(path)
    files = inputs(query, follow_links=follow_links)
    return (*files, warehouse) if query.warehouse and warehouse.exists() else files


def _matches(path: Path, name: str) -> Iterator[Path]:
    """Yield the files that match a name or a pattern, as DuckDB would find them."""
    folder = path.parent.resolve()
    inside = _inside(path, name)
    if not _PATTERN.search(name):
        if (folder / inside).exists() or (folder / inside).is_symlink():
            yield folder / inside
        return
    escaped = _PATTERN.sub(r"[\g<0>]", str(folder))  # special characters in the folder's name are no pattern
    with storage_errors("read", path.parent), duckdb.connect(config={"threads": 1}) as connection:
        found = connection.execute("SELECT file FROM glob(?)", [f"{escaped}/{inside}"]).fetchall()
    yield from (Path(file) for (file,) in found)


def _inside(path: Path, name: str) -> Path:
    """Return a name or a pattern as a path relative to the query's folder.

    Raises:
        UsageError: the path leads out of the folder.
    """
    outside = UsageError(f"{path} reads `{name}`, which is not in its folder.", _REACH)
    if "://" in name or name.startswith(("~", "file:")) or ".." in PurePath(name).parts:
        raise outside
    inside = Path(name)
    if not inside.is_absolute():
        return inside
    for top in (path.parent.resolve(), path.parent.absolute()):
        if inside.is_relative_to(top):
            return inside.relative_to(top)
    raise outside


def _check(path: Path, scan: Scan, file: Path, *, follow_links: bool) -> None:
    """Raise if the query may not read a file."""
    folder = path.parent.resolve()
    inside = file.relative_to(folder)
    problem = problem_of(file, folder, follow_links=follow_links)
    if problem == LEADS_OUT:
        problem = problem.replace("the history folder", "its folder")
    elif not problem and not file.is_file():
        problem = "is a folder; name the files in it, such as 'folder/*.csv'"
    elif any(part.startswith(".") for part in inside.parts):
        problem = "is hidden"
    if problem:
        raise UsageError(f"{path} may not read `{inside}`, which {problem}.", _REACH)
    if not scan.hive and any("=" in part for part in inside.parts[:-1]):
        raise UsageError(
            f"{path} reads `{inside}`, and DuckDB would take columns from the names of its folders.",
            "Say which: hive_partitioning = false (or true) in read_parquet, read_csv or read_json.",
        )
