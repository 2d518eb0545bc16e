"""DuckDB's memory limits by task; data beyond a limit is spilled into a folder.

A pull or push needs further memory of its own, which is bounded by batches. What does not belong here: the number of
rows of a batch.
"""

from pathlib import Path

WAREHOUSE = "200MB"
"""For building a warehouse. With less, ten million rows of history cannot be joined with their files."""

RECORDS = "144MB"
"""For filling imports.records at the end of a push, whose process also holds the memory it used for sending."""

SCRATCH = "200MB"
"""For work on Parquet files of a pull."""

REPORT = "400MB"
"""For the figures of the report."""

STAGE = "208MB"
"""For building a stage from history files, and for the process that runs a `.sql` source."""

STAGE_IN_USE = "160MB"
"""For reading a stage while its rows are sent."""

LONG_TEXTS = "512MB"
"""For reading a stage with texts far longer than a text message: DuckDB encodes 2,048 rows at a time."""

Config = dict[str, str | bool | int | float | list[str]]
"""Configuration for `duckdb.connect`."""


def limits(memory: str, spill: Path, threads: int | None = None) -> Config:
    """Return the limits of DuckDB's configuration.

    Args:
        memory: one of the limits of this module.
        spill: the folder for data beyond the limit.
        threads: number of threads; by default one per processor. Each takes a share of the memory.
    """
    found: Config = {"memory_limit": memory, "temp_directory": str(spill)}
    return found if threads is None else {**found, "threads": threads}
