"""Rows for other programs: CSV or one JSON document on standard output, row by row, whatever their number."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from pipelines.errors import UsageError

AsCsv = Annotated[bool, typer.Option("--csv", help="CSV with a header on standard output, all rows.")]


def write_rows(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, as_json: bool, as_csv: bool
) -> None:
    """Write rows to standard output.

    Args:
        columns: what each row holds, in this order.
        rows: read once, and not kept.
        as_json: an array of objects, one on a line.
        as_csv: RFC 4180 with a header; null is the empty field.

    Raises:
        UsageError: both forms were asked for.
    """
    one_form(as_json=as_json, as_csv=as_csv)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([row[name] for name in columns] for row in rows)
    else:
        before = "[\n"
        for row in rows:
            sys.stdout.write(before + json.dumps({name: row[name] for name in columns}))
            before = ",\n"
        sys.stdout.write("\n]\n" if before == ",\n" else "[]\n")
    sys.stdout.flush()


def one_form(*, as_json: bool, as_csv: bool) -> None:
    """Refuse both forms at once.

    Raises:
        UsageError: both forms were asked for.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other.", "Leave one out.")
