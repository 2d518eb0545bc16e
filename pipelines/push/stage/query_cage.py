"""Runs the query of a `.sql` file where it can do no harm: in a process of its own that reaches nothing else.

The process (`query_process`) has an empty environment and limits on memory, time and the size of files. DuckDB in it
has the warehouse attached read-only and can open only files of the query's own folder; its configuration is locked.
The text of the query is checked before (`files.query_statement`), so there are two barriers. The result comes back as
a Parquet file. What does not belong here: what its columns mean (`parse.relation`).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.errors import StorageError, UsageError
from pipelines.push.files.find import Source
from pipelines.push.files.query_inputs import inputs
from pipelines.push.files.query_statement import Query, Scan, parse
from pipelines.push.stage import query_process
from pipelines.settings import Settings
from pipelines.storage import storage_errors

_ADDRESS_SPACE = 4 << 30
"""Most bytes of address space of the process: DuckDB does not count all the memory that a file makes it allocate."""

_LARGEST = 50 << 30
"""Most bytes of a file that the process writes: its result, or spilled data."""

_SPILL = "50GB"

_FAIL_REMEDY = (
    "Run it in DuckDB to see at which value it fails; TRY_CAST turns values that do not fit into NULL."
)
_MEMORY_REMEDY = "Select fewer columns, join less at once, or split its files."


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a query.

    Attributes:
        seconds: the longest time that it may take.
        follow_links: whether links may lead out of its folder.
    """

    seconds: float = 300.0
    follow_links: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """Return the limits that the operator has set."""
        return cls(settings.sql_seconds, settings.follow_links)


DEFAULT_BOUNDS = Bounds()


@contextmanager
def readable(
    source: Source, columns: Collection[str], warehouse: Path, output: Path, bounds: Bounds
) -> Iterator[Source]:
    """Yield a source that can be read: for a `.sql` file with the result of its query, for the length of the block.

    Args:
        source: a file of any format.
        columns: the columns that a query may yield.
        warehouse: the warehouse, which a query may read besides its own folder.
        output: the Parquet file for the result.
        bounds: limits of the query.

    Raises:
        UsageError, StorageError: see `run_query`.
    """
    if source.format != "sql":
        yield source
        return
    try:
        run_query(source.path, columns, warehouse, output, bounds)
        yield replace(source, rows=output)
    finally:
        output.unlink(missing_ok=True)
        shutil.rmtree(_spill(output), ignore_errors=True)


def _spill(output: Path) -> Path:
    return output.with_name(f"{output.name}.spill")


def run_query(
    path: Path, columns: Collection[str], warehouse: Path, output: Path, bounds: Bounds
) -> tuple[Path, ...]:
    """Run a `.sql` file and write its result to a Parquet file.

    Whole numbers, decimals, times and flags become their exact text (times in UTC); floats, texts, bytes and nested
    values stay as they are.

    Args:
        path: the `.sql` file.
        columns: the names of the dataset's fields; errors name only these columns and those in the query.
        warehouse: attached as `warehouse`, if it exists.
        output: the Parquet file; the query spills to the same folder.
        bounds: limits of the query.

    Returns:
        The files that the query read.

    Raises:
        UsageError: the query is not one SELECT, reads what it may not, takes too much, or fails.
        StorageError: the disk refused.
    """
    query = parse(path)
    files = inputs(query, follow_links=bounds.follow_links)
    attached = warehouse if warehouse.exists() else None
    with storage_errors("write", output):
        output.unlink(missing_ok=True)
        answer = answer_of(path, task_of(query, columns, files, attached, output), bounds.seconds)
    if "error" in answer:
        raise _error(path, answer["error"], answer["text"], attached is not None)
    return files


def task_of(
    query: Query, columns: Collection[str], files: Collection[Path], warehouse: Path | None, output: Path
) -> dict[str, Any]:
    """Return the task that the process receives.

    Args:
        query: the statement, checked.
        columns: the columns that it may yield.
        files: the files that it may read.
        warehouse: the warehouse, if the query may read it.
        output: the Parquet file for the result.
    """
    return {
        "text": query.text,
        "warehouse": str(warehouse.resolve()) if warehouse else "",
        "output": str(output.resolve()),
        "spill": str(_spill(output).resolve()),
        "spill_size": _SPILL,
        "memory": duckdb_memory.STAGE,
        "address_space": _ADDRESS_SPACE,
        "file_size": _LARGEST,
        "files": [str(file.resolve()) for file in files],
        "names": sorted(query.names | {name.lower() for name in columns}),
        "scans": [_task_of(scan, query) for scan in query.scans],
    }


def environment() -> dict[str, str]:
    """Return the variables that the interpreter itself needs to start, and none of ours."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}


def _task_of(scan: Scan, query: Query) -> dict[str, Any]:
    return {
        "kind": scan.kind,
        "call": scan.call,
        "textual": scan.textual,
        "declared": None if scan.declared is None else sorted(scan.declared),
        "formats": sorted(scan.formats),
        "used": None if query.any_column else sorted(query.names),
    }


def answer_of(path: Path, task: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Run the process and return its answer; a process that died of its limits gives an answer too.

    Args:
        path: the `.sql` file, for messages.
        task: the result of `task_of`.
        seconds: the longest time that the process may take.
    """
    packages = Path(duckdb.__file__).parent.parent
    command = [sys.executable, "-I", "-X", "utf8", query_process.__file__, str(packages)]
    with subprocess.Popen(  # noqa: S603 - this interpreter, with a file of ours
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd=path.parent.resolve(),
        start_new_session=True,
    ) as process:
        try:
            return _exchange(process, task, seconds)
        except subprocess.TimeoutExpired:
            return {"error": "time", "text": f"{seconds:g}"}
        finally:
            process.kill()


def _exchange(process: subprocess.Popen[bytes], task: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Send the task and wait. Standard input stays open, because the process ends when it closes."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        return {"error": "ended", "text": str(process.wait(seconds))}
    code = process.wait(seconds)
    answer = process.stdout.read()
    if code == 0 and answer:
        found: dict[str, Any] = json.loads(answer)
        return found
    return {"error": "memory" if code in _OUT_OF_MEMORY else "ended", "text": str(code)}


_OUT_OF_MEMORY = (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGBUS, 134, 137, 139)
"""Exit codes of a process that did not get the memory it needed."""


def _error(path: Path, kind: str, text: str, has_warehouse: bool) -> UsageError | StorageError:
    match kind:
        case "guessed csv":
            return UsageError(
                f"{path}: DuckDB guessed the types of {text}, and some values would differ from the file.",
                "Read everything as text, read_csv('FILE', all_varchar = true), and convert in the SELECT, such as "
                "strptime(sent_at, '%m/%d/%Y %H:%M').",
            )
        case "guessed json":
            return UsageError(
                f"{path}: DuckDB guessed that texts of {text} are times.",
                "Declare the columns as text: read_json('FILE', columns = {NAME: 'VARCHAR', ...}).",
            )
        case "unusable":
            return UsageError(
                f"{path} yields {text} as JSON or another type that no field has.",
                "Extract the text: ->> in place of ->, or a CAST.",
            )
        case "twice":
            return UsageError(f"{path} yields {text} more than once.", "Leave one of them out.")
        case "time":
            return UsageError(
                f"{path} took longer than {text} seconds.",
                "Make the query cheaper, or allow more by TRACKLY_SQL_SECONDS.",
            )
        case "memory" | "OutOfMemoryException":
            return UsageError(f"{path} needs more memory or disk than a query may take.", _MEMORY_REMEDY)
        case _:
            return _failed(path, kind, text, has_warehouse)


def _failed(path: Path, kind: str, text: str, has_warehouse: bool) -> UsageError | StorageError:
    if "No space left" in text:
        return StorageError(f"Cannot write what {path} yields: {text}.", "Make room on the disk.")
    if kind == "PermissionException":
        return UsageError(
            f"{path} reads more than it may: {text}.",
            "It reads files of its own folder and the warehouse.",
        )
    if "warehouse" in text and not has_warehouse:
        return UsageError(f"{path} reads the warehouse, and there is none.", "Run: trackly-sync pull")
    if text:
        return UsageError(f"{path} is not a SELECT that DuckDB can run: {text}.", "Correct it.")
    return UsageError(f"{path} cannot be run to its end ({kind}).", _FAIL_REMEDY)
