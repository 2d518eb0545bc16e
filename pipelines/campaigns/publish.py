"""Publishes figures of campaigns: counts of audiences, opted-out contacts in them, and settings for the marts.

What does not belong here: counting (`counts`), and what filters mean (`filters`).
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.campaigns.conditions import custom_field
from pipelines.campaigns.counts import IN_ONE_PASS, Audience, Counts, count
from pipelines.settings import Settings
from schemas.columns import Dataset
from schemas.derived.arrow import arrow_schema
from schemas.derived.tables import literal
from schemas.own_tables.campaigns import (
    AUDIENCE_COUNTS,
    AUDIENCE_PAIRS,
    AUDIENCE_TIMEZONES,
    BASES,
)

_AUDIENCES = """
SELECT id, CAST(filter AS VARCHAR), source_lists, lists
FROM main.audiences JOIN (
    SELECT audience_id, lists, max(used) AS used
    FROM (
        SELECT audience_id, CASE WHEN narrowed THEN lists ELSE '' END AS lists, 1 AS used FROM marts.schedule_reach
        UNION ALL
        SELECT id, '', 0 FROM main.audiences
    )
    GROUP BY ALL
) AS wanted ON wanted.audience_id = audiences.id
WHERE status IS DISTINCT FROM 'archived'
ORDER BY used DESC, id, lists
"""
_OPTED_OUT = """
CREATE OR REPLACE TEMP TABLE opted_out AS
SELECT contacts.*
FROM main.contacts
WHERE active AND EXISTS (
    FROM marts.opt_outs
    WHERE opt_outs.phone_number = contacts.phone_number
        AND (opt_outs.list_id IS NULL OR opt_outs.list_id = contacts.list_id)
)
"""
_MOST_SQL = 500_000
"""Most characters of the tests in one statement."""
_AT_ONCE = 50
"""Audiences that one statement tests with opted-out contacts."""


def note_campaigns(
    connection: duckdb.DuckDBPyConnection, settings: Settings, published: Collection[str]
) -> None:
    """Count again the figures that the published datasets change; the views must exist.

    Args:
        connection: of a warehouse that is being written.
        settings: see `Settings`.
        published: datasets that were just published; empty if only events came.
    """
    _note_settings(connection, settings)
    audiences = [Audience(*row) for row in connection.execute(_AUDIENCES).fetchall()]
    as_of, unknown = _contacts(connection, settings)
    if {"contacts", "audiences", "schedules"} & set(published):
        _count(connection, audiences, as_of, unknown)
    by_own_lists = [one for one in audiences if not one.lists]
    _note_opted_out(connection, by_own_lists, as_of, unknown)


def _note_settings(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    now = (settings.price_per_segment, settings.account_timezone)
    if connection.execute("FROM sync.campaign_settings").fetchall() != [now]:
        connection.execute("DELETE FROM sync.campaign_settings")
        connection.execute("INSERT INTO sync.campaign_settings VALUES (?, ?)", list(now))


def _contacts(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> tuple[datetime | None, dict[str, str]]:
    """Return when the contacts were read, and which of their columns cannot be used."""
    query = (
        "SELECT max(synced_at), count(last_revenue_at) = 0 AND count(*) FILTER (conversion_count > 0) > 0 "
        "FROM main.contacts"
    )
    ((as_of, without_revenue_times),) = connection.execute(query).fetchall()
    unknown = {}
    if settings.drop_custom_fields:
        unknown["custom_fields"] = "custom fields are left out (TRACKLY_DROP_CUSTOM_FIELDS)"
    if without_revenue_times:
        unknown["last_revenue_at"] = "the account does not serve last_revenue_at of contacts"
    return as_of, unknown


def _count(
    connection: duckdb.DuckDBPyConnection,
    audiences: Sequence[Audience],
    as_of: datetime | None,
    unknown: dict[str, str],
) -> None:
    for dataset in (AUDIENCE_COUNTS, AUDIENCE_PAIRS, AUDIENCE_TIMEZONES):
        connection.execute(f"DELETE FROM sync.{dataset.name}")
    if as_of is None:
        missing = [
            {"audience_id": one.id, "reason": "contacts were not pulled"}
            for one in audiences
            if not one.lists
        ]
        _insert(connection, AUDIENCE_COUNTS, missing)
        return
    counted: list[tuple[Audience, int]] = []
    rows: list[dict[str, Any]] = []
    for audience in audiences:
        if audience.is_empty:
            rows.append(_nobody(audience, as_of))
            continue
        found = audience.test(as_of, unknown)
        if found.sql is None:
            rows.append(_row(audience, as_of) | {"reason": found.reason})
        else:
            counted.append((audience, len(found.sql.least)))
    _insert(connection, AUDIENCE_COUNTS, rows)
    for number, some in enumerate(_passes(counted)):
        _count_some(connection, some, as_of, with_pairs=number == 0)


def _row(audience: Audience, as_of: datetime) -> dict[str, Any]:
    return {"audience_id": audience.id, "lists": audience.lists, "contacts_as_of": as_of}


def _nobody(audience: Audience, as_of: datetime) -> dict[str, Any]:
    """Return the row of an audience that is always empty, without counting."""
    nobody = dict.fromkeys(("people", "people_wide", "people_with_inactive"), 0)
    return {**_row(audience, as_of), **nobody, "in_pairs": True}


def _passes(counted: Sequence[tuple[Audience, int]]) -> Iterator[Sequence[Audience]]:
    """Yield the audiences of each pass over contacts: as many as fit and can be planned in bounded memory."""
    some: list[Audience] = []
    size = 0
    for audience, characters in counted:
        if some and (len(some) == IN_ONE_PASS or size + characters > _MOST_SQL):
            yield some
            some, size = [], 0
        some.append(audience)
        size += characters
    if some:
        yield some


def _count_some(
    connection: duckdb.DuckDBPyConnection, audiences: Sequence[Audience], as_of: datetime, *, with_pairs: bool
) -> None:
    fields: dict[str, int] = {}

    def column(name: str) -> str:
        return f"field_{fields.setdefault(custom_field(name), len(fields))}"

    tests = [sql for one in audiences if (sql := one.test(as_of, {}, column).sql) is not None]
    found = count(connection, tests, list(fields))
    _insert(
        connection,
        AUDIENCE_COUNTS,
        [one | {"in_pairs": with_pairs} for one in _counted(audiences, found, as_of)],
    )
    _insert(connection, AUDIENCE_TIMEZONES, list(_zones(audiences, found)))
    if with_pairs:
        _insert(connection, AUDIENCE_PAIRS, list(_pairs(audiences, found)))


def _counted(audiences: Sequence[Audience], found: Counts, as_of: datetime) -> Iterator[dict[str, Any]]:
    for number, audience in enumerate(audiences):
        sql = audience.test(as_of, {}).sql
        yield {
            **_row(audience, as_of),
            "filter_sql": sql and sql.least,
            "filter_sql_wide": sql and sql.most,
            "people": int(found.people["narrow"][number]),
            "people_wide": int(found.people["wide"][number]),
            "people_with_inactive": int(found.people["all"][number]),
        }


def _zones(audiences: Sequence[Audience], found: Counts) -> Iterator[dict[str, Any]]:
    for zone, people in found.timezones.items():
        for number in np.flatnonzero(people).tolist():
            one = audiences[number]
            yield {"audience_id": one.id, "lists": one.lists, "timezone": zone, "people": int(people[number])}


def _pairs(audiences: Sequence[Audience], found: Counts) -> Iterator[dict[str, Any]]:
    for one, other in np.argwhere(np.triu(found.pairs, k=1)).tolist():
        first, second = sorted((audiences[one], audiences[other]), key=lambda each: f"{each.id} {each.lists}")
        yield {
            "audience_id": first.id,
            "lists": first.lists,
            "other_audience_id": second.id,
            "other_lists": second.lists,
            "people": int(found.pairs[one, other]),
        }


def _note_opted_out(
    connection: duckdb.DuckDBPyConnection,
    audiences: Sequence[Audience],
    as_of: datetime | None,
    unknown: dict[str, str],
) -> None:
    """Store the contacts in audiences of running schedules that opted out, as events report; these are few."""
    connection.execute("DELETE FROM sync.audience_opted_out")
    if as_of is None or not connection.execute("FROM main.webhook_events LIMIT 1").fetchall():
        return
    running = "SELECT DISTINCT audience_id FROM marts.schedule_reach"
    used = {audience for (audience,) in connection.execute(running).fetchall()}
    connection.execute(_OPTED_OUT)
    for some in _in_groups([one for one in audiences if one.id in used], _AT_ONCE):
        queries = " UNION ALL ".join(_opted_out_of(one, as_of, unknown) for one in some)
        ids = [audience.id for audience in some]
        connection.execute(f"INSERT INTO sync.audience_opted_out BY NAME {queries}", ids)
    connection.execute("DROP TABLE opted_out")


def _opted_out_of(audience: Audience, as_of: datetime, unknown: dict[str, str]) -> str:
    """Return a query for the opted-out contacts of an audience, with its id as the parameter."""
    by_filter, widely, by_lists = (literal(basis) for basis in BASES)
    sql = audience.test(as_of, unknown).sql
    who = "SELECT ?::VARCHAR AS audience_id, phone_number, list_id"
    if sql is None:
        lists = (
            f"list_id IN ({', '.join(map(str, audience.source_lists))})" if audience.source_lists else "true"
        )
        return f"{who}, {by_lists} AS basis FROM opted_out WHERE {lists}"
    return (
        f"{who}, CASE WHEN {sql.least} THEN {by_filter} ELSE {widely} END AS basis "
        f"FROM opted_out WHERE {sql.most}"
    )


def _in_groups(audiences: Sequence[Audience], size: int) -> Iterator[Sequence[Audience]]:
    for start in range(0, len(audiences), size):
        yield audiences[start : start + size]


def _insert(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rows: list[dict[str, Any]]) -> None:
    if rows:
        incoming = pa.Table.from_pylist(rows, arrow_schema(dataset))
        connection.register("incoming", incoming)
        connection.execute(f"INSERT INTO sync.{dataset.name} BY NAME FROM incoming")
        connection.unregister("incoming")
