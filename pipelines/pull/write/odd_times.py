"""Implausible times, before 2000 or after tomorrow: a pull keeps such values and warns.

What does not belong here: what a time is (`schemas.values.instants`), and what a push does with such times.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.databases.duckdb_scratch import scratch
from pipelines.storage import storage_errors
from schemas.columns import Dataset, past_times
from schemas.derived.tables import literal
from schemas.values.instants import is_plausible, plausible_between


def odd_times(dataset: Dataset, data: Path) -> dict[str, int]:
    """Count the rows of a snapshot's file with an implausible time, by column; only columns with such rows.

    Args:
        dataset: what the rows are.
        data: the file.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors("read", data):
        suspects = _suspects(dataset, pq.read_metadata(data))
    if not suspects:
        return {}
    first, end = (
        f"TIMESTAMPTZ {literal(limit.isoformat())}" for limit in plausible_between(datetime.now(UTC))
    )
    counts = ", ".join(f"count(*) FILTER ({name} < {first} OR {name} >= {end})" for name in suspects)
    with scratch(data.parent) as connection:
        found = (
            connection.execute(f"SELECT {counts} FROM read_parquet({literal(str(data))})").fetchone() or ()
        )
    return {name: count for name, count in zip(suspects, found, strict=True) if count}


def _suspects(dataset: Dataset, file: "pq.FileMetaData") -> list[str]:
    """Return the time columns whose statistics in the file do not prove that all times are plausible."""
    columns = set(past_times(dataset))
    suspects: set[str] = set()
    for group in range(file.num_row_groups):
        for number in range(file.num_columns):
            column: Any = file.row_group(group).column(number)
            if column.path_in_schema in columns - suspects and not _all_plausible(column.statistics):
                suspects.add(column.path_in_schema)
    return sorted(suspects)


def _all_plausible(statistics: Any) -> bool:
    if statistics is None or not statistics.has_min_max:
        return statistics is not None and statistics.num_values == 0
    try:
        return is_plausible(statistics.min) and is_plausible(statistics.max)
    except (ValueError, OverflowError, TypeError):
        return False
