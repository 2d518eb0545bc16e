"""The current input month by month: the outcomes of rows by their own timestamp.

A row without a time belongs to no month. What does not belong here: sending one month (`send.options`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipelines.databases.duckdb_instances import beside
from pipelines.push.checks.compared import Period
from pipelines.push.stage.database import opened, stage_path
from pipelines.settings import Settings


@contextmanager
def _beside_the_warehouse(settings: Settings, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the stage of a dataset, with the warehouse attached as `warehouse`."""
    with (
        opened(stage_path(settings, name)) as connection,
        beside(connection, settings.warehouse, "warehouse"),
    ):
        yield connection


def outcomes_between(settings: Settings, name: str, between: Period) -> tuple[dict[str, int], int]:
    """Return the rows of a period by outcome, and how many of them differ and are not acknowledged.

    Args:
        settings: the place of stage and warehouse.
        name: sends, clicks or revenue.
        between: the first instant, and the one after the last.
    """
    with _beside_the_warehouse(settings, name) as connection:
        found = connection.execute(
            "SELECT outcome, count(*), count(*) FILTER (r.differs AND NOT coalesce(r.differs_acknowledged, false))"
            " FROM input JOIN files USING (file)"
            " JOIN warehouse.imports.records AS r ON r.file = files.path AND r.row = input.row"
            " WHERE r.in_input AND r.dataset = ? AND timestamp >= ? AND timestamp < ? GROUP BY 1",
            [name, *between],
        ).fetchall()
    return {outcome: rows for outcome, rows, _ in found}, sum(differs for _, _, differs in found)


def outcomes_by_month(settings: Settings, name: str) -> dict[str, tuple[dict[str, int], int]]:
    """Return the same as `outcomes_between` for every month of the current input; keys such as 2026-10."""
    found: dict[str, tuple[dict[str, int], int]] = {}
    with _beside_the_warehouse(settings, name) as connection:
        rows = connection.execute(
            "SELECT strftime(timestamp, '%Y-%m') AS month, outcome, count(*),"
            " count(*) FILTER (r.differs AND NOT coalesce(r.differs_acknowledged, false))"
            " FROM input JOIN files USING (file)"
            " JOIN warehouse.imports.records AS r ON r.file = files.path AND r.row = input.row"
            " WHERE r.in_input AND r.dataset = ? AND timestamp IS NOT NULL GROUP BY ALL ORDER BY ALL",
            [name],
        ).fetchall()
    for month, outcome, number, differ in rows:
        counts, differs = found.get(month, ({}, 0))
        found[month] = ({**counts, outcome: number}, differs + differ)
    return found
