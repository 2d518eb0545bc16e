"""The current input month by month: the outcomes of the rows whose own timestamp lies in a time.

A row without a time is of no month. What does not belong here: sending one month (`send.options`).
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
    """The stage of a dataset, and the warehouse as `warehouse`."""
    with (
        opened(stage_path(settings, name)) as connection,
        beside(connection, settings.warehouse, "warehouse"),
    ):
        yield connection


def outcomes_between(settings: Settings, name: str, between: Period) -> tuple[dict[str, int], int]:
    """Rows of the current input by outcome, of those with a timestamp of that time; and how many of them differ.

    Args:
        settings: where the stage and the warehouse lie.
        name: sends, clicks or revenue.
        between: from the first instant up to the second.
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
    """As `outcomes_between`, of every month of the current input, such as 2026-10."""
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
