"""Rows for other programs: CSV or one JSON document on standard output, row by row, whatever their number."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from pipelines.cli.terminal.streams import rows_to
from pipelines.errors import UsageError
from pipelines.text.sanitize import for_csv, for_json, plain

AsCsv = Annotated[bool, typer.Option("--csv", help="CSV with a header on standard output, all rows.")]


def write_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool, as_csv: bool) -> None:
    """Write rows to standard output.

    Args:
        columns: the name of each value of a row.
        rows: read once, not held in memory.
        as_json: an array of objects, one per line.
        as_csv: RFC 4180 with a header; null is the empty field, and no text is a formula (`for_csv`).

    Raises:
        UsageError: both forms were asked for.
        StorageError: standard output cannot be written.
    """
    one_form(as_json=as_json, as_csv=as_csv)
    with rows_to(sys.stdout) as file:
        if as_csv:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            shown = _for_eyes if file.isatty() else for_csv
            writer.writerows(map(shown, row) for row in rows)
            return
        before = "[\n"
        for row in rows:
            file.write(before + for_json(json.dumps(dict(zip(columns, row, strict=True)))))
            before = ",\n"
        file.write("\n]\n" if before == ",\n" else "[]\n")


def _for_eyes(value: Any) -> Any:
    """Return a value of a CSV for a terminal, with control characters escaped; a file gets them as they are."""
    found = for_csv(value)
    return plain(found) if isinstance(found, str) else found


def one_form(*, as_json: bool, as_csv: bool) -> None:
    """Refuse both forms at once.

    Raises:
        UsageError: both forms were asked for.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other.", "Leave one out.")
