"""Views of histories for analysts: a view and a table macro for each versioned dataset.

`main.<dataset>_history` has every version, `main.<dataset>_as_of(t)` the rows as pulls had found them at an instant.
What does not belong here: how versions are made (`versions`).
"""

from collections.abc import Iterator, Sequence

import duckdb

from pipelines.warehouse.history.versions import Names, names
from schemas.derived.tables import comments, literal
from schemas.own_tables.versions import VERSIONED, history, history_fields


def statements() -> Iterator[str]:
    """Yield the statements for the views and macros; the tables that they read must exist (see `tables`)."""
    for name, dataset in VERSIONED.items():
        at = names(name)
        view = f"main.{name}_history"
        yield (
            f"CREATE OR REPLACE VIEW {view} AS SELECT present.*, {at.valid_from} AS valid_from, "
            "NULL::TIMESTAMPTZ AS valid_to, NULL::TIMESTAMPTZ AS removed_at "
            f"FROM {at.main} AS present LEFT JOIN {at.since} AS since USING ({at.key}) "
            f"UNION ALL BY NAME FROM {at.ended}"
        )
        yield from comments(view, history(dataset), history_fields(dataset), kind="VIEW")
        yield from _macro(at)


def _macro(at: Names) -> Iterator[str]:
    name = at.dataset.name
    validity = ", ".join(history(at.dataset).columns)
    yield (
        f"CREATE OR REPLACE MACRO main.{name}_as_of(t) AS TABLE SELECT * EXCLUDE ({validity}) "
        f"FROM main.{name}_history WHERE valid_from <= t::TIMESTAMPTZ "
        "AND (valid_to IS NULL OR valid_to > t::TIMESTAMPTZ)"
    )
    yield f"COMMENT ON MACRO TABLE main.{name}_as_of IS " + literal(
        f"The rows of {name} as pulls had found them at an instant, such as now() or TIMESTAMPTZ "
        "'2026-01-31 12:00:00+00'; none before the first pull."
    )


def take_over(connection: duckdb.DuckDBPyConnection) -> None:
    """Take over histories of earlier versions, and datasets that they published without a history."""
    _take_over_schema(connection)
    begun = {name for (name,) in connection.execute("SELECT dataset FROM sync.history_began").fetchall()}
    if others := VERSIONED.keys() - begun:
        _begin_with_what_is_there(connection, sorted(others))


def _begin_with_what_is_there(connection: duckdb.DuckDBPyConnection, datasets: Sequence[str]) -> None:
    """Begin histories with the published rows of a version that kept no history."""
    rows = " UNION ALL ".join(
        f"SELECT {literal(name)}, min(synced_at) FROM {names(name).main} HAVING count(*) > 0"
        for name in datasets
    )
    connection.execute(f"INSERT INTO sync.history_began {rows}")


def _take_over_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Move the tables of version 2 of the warehouse out of their schema `history`."""
    schema = (
        "SELECT 1 FROM duckdb_schemas() WHERE schema_name = 'history' AND database_name = current_database()"
    )
    if not connection.execute(schema).fetchone():
        return
    for old, new in (("closed", "contacts_ended"), ("opened", "contacts_since")):
        connection.execute(f"INSERT INTO sync.{new} BY NAME FROM history.{old}")
    connection.execute("INSERT INTO sync.history_began SELECT 'contacts', began_at FROM history.began")
    connection.execute("DROP SCHEMA history CASCADE")
