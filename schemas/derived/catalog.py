"""The list of the warehouse's tables and views for analysts.

What does not belong here: internal tables, such as `sync.contacts_ended`, and declarations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.columns import Dataset, Field
from schemas.marts.registry import MARTS
from schemas.own_tables.campaigns import COUNTED
from schemas.own_tables.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.revenue_readings import REVENUE_READINGS
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS, WRITTEN_BY
from schemas.own_tables.versions import BEGINNINGS, VERSIONED, history, history_fields
from schemas.registry import DERIVED, PULLED
from schemas.webhook_events import REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_SYNC = (SNAPSHOTS, PAGES, RUNS, REVENUE_READINGS, BEGINNINGS, WRITTEN_BY, WEBHOOKS, REJECTIONS, *COUNTED)


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view.

    Attributes:
        schema: its schema.
        name: its name in the schema.
        dataset: the declaration of its rows and key.
        fields: all its columns.
    """

    schema: str
    name: str
    dataset: Dataset
    fields: tuple[Field, ...]


def tables() -> list[Table]:
    """Return all tables: pulled, pushed, quarantined, runs, and marts."""
    return list(_tables())


def _tables() -> Iterator[Table]:
    for name, dataset in PULLED.items():
        yield Table("main", name, dataset, (*dataset.fields, *BOOKKEEPING.fields))
    for name, dataset in DERIVED.items():
        yield Table("main", name, dataset, dataset.fields)
    for dataset in VERSIONED.values():
        yield Table("main", history(dataset).name, history(dataset), history_fields(dataset))
    yield Table("main", WEBHOOK_EVENTS.name, WEBHOOK_EVENTS, WEBHOOK_EVENTS.fields)
    for dataset in (RECORDS, CHUNKS, RESOLUTIONS, DIFFERENCES):
        yield Table("imports", dataset.name, dataset, dataset.fields)
    for name in PULLED:
        yield Table("quarantine", name, QUARANTINED, QUARANTINED.fields)
    for dataset in _SYNC:
        yield Table("sync", dataset.name, dataset, dataset.fields)
    for name, mart in MARTS.items():
        yield Table("marts", name, mart, mart.fields)
