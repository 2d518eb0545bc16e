"""How much memory DuckDB may take, by what it does; it spills what is beyond into a folder.

A pull or push has its own share beside these, so that the process stays flat (architecture: memory is bounded by
batches). What does not belong here: how many rows a batch has.
"""

from pathlib import Path

WAREHOUSE = "200MB"
"""To build a warehouse. With less, ten million rows of history cannot be joined with their files."""

RECORDS = "144MB"
"""To fill imports.records at the end of a push, whose process holds what it sent with as well."""

SCRATCH = "200MB"
"""To work on Parquet files of a pull."""

REPORT = "400MB"
"""To compute the figures of the report."""

STAGE = "208MB"
"""To build a stage from history files; the same for the process that runs a `.sql` source."""

STAGE_IN_USE = "160MB"
"""To read a stage while its rows are sent."""

LONG_TEXTS = "512MB"
"""To read a stage with texts far longer than a text message: DuckDB encodes 2,048 rows at a time."""

Config = dict[str, str | bool | int | float | list[str]]
"""What `duckdb.connect` takes."""


def limits(memory: str, spill: Path, threads: int | None = None) -> Config:
    """The part of DuckDB's configuration that bounds it.

    Args:
        memory: one of the limits of this module.
        spill: the folder for what is beyond it.
        threads: how many; by default one for each processor. Each takes a share of the memory.
    """
    found: Config = {"memory_limit": memory, "temp_directory": str(spill)}
    return found if threads is None else {**found, "threads": threads}
