"""The report's figures: one query each, in `queries/<name>.sql`, over a mart if there is one.

Queries give counts, sums and names, never rows of contacts or history, since a page may be sent to other people. What
does not belong here: how figures look (`charts`, `page.html`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pipelines.databases import duckdb_memory
from pipelines.databases.duckdb_instances import attached
from pipelines.errors import StorageError
from pipelines.report.charts import MOST_PERIODS
from pipelines.storage import is_there
from pipelines.warehouse.left_out import COMMON_REASON
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.version import refuse_newer
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import dicts, reading
from schemas.values.outcomes import LEFT_OUT, sql_list

Row = dict[str, Any]

_QUERIES = Path(__file__).with_name("queries")
_DEPARTURES = Path(__file__).with_name("departures.sql")
_LAST_PERIODS = f"""
CREATE TEMP MACRO last_periods(grain, earliest, latest) AS CAST(
    CASE grain
        WHEN 'month' THEN generate_series(
            greatest(earliest, latest - INTERVAL {MOST_PERIODS["month"] - 1} MONTH), latest, INTERVAL 1 MONTH
        )
        ELSE generate_series(
            greatest(earliest, latest - INTERVAL {MOST_PERIODS["day"] - 1} DAY), latest, INTERVAL 1 DAY
        )
    END AS DATE[]
)
"""
"""All periods of a chart, also those without rows, so that the time axis has no gaps."""


@contextmanager
def _opened(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield the warehouse; before the first pull and push, an empty one in memory."""
    if is_there(warehouse):
        with reading(warehouse) as connection:
            refuse_newer(connection)
            yield connection
        return
    with attached(None, "nothing_yet") as connection:
        complete(connection)
        create_views(connection)
        yield connection


def figures(warehouse: Path) -> dict[str, list[Row]]:
    """Return the rows of each query by its name, all from one state of the warehouse.

    Raises:
        StorageError: it cannot be read, or it is of another version.
    """
    with _opened(warehouse) as connection:
        connection.execute(f"CREATE TEMP MACRO is_left_out(outcome) AS outcome IN {sql_list(LEFT_OUT)}")
        connection.execute(f"CREATE TEMP MACRO common_reason(outcome, reason) AS {COMMON_REASON}")
        connection.execute(_LAST_PERIODS)
        # queries state the orders that matter; keeping other orders takes memory
        connection.execute(
            f"SET memory_limit = '{duckdb_memory.REPORT}'; SET preserve_insertion_order = false"
        )
        try:
            connection.execute(_DEPARTURES.read_text(encoding="utf-8"))
            return {
                path.stem: dicts(connection, path.read_text(encoding="utf-8"))
                for path in sorted(_QUERIES.glob("*.sql"))
            }
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise StorageError(
                f"{warehouse} does not have all the tables that the report reads: an older version wrote it.",
                "Run: trackly-sync pull, which completes them.",
            ) from error
