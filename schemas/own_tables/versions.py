"""Histories: every version of a contact, a list, an offer, a creative and so on that a pull has seen.

Each is a view, `main.<dataset>_history`, over the published rows and two tables of the sync schema, which are
declared here too. What does not belong here: how versions are found (see `pipelines.warehouse.history.versions`).
"""

from typing import Annotated

import msgspec

from schemas.audiences import AUDIENCES
from schemas.columns import Column, Dataset, Field, Instant, Text
from schemas.contacts import CONTACTS
from schemas.creatives import CREATIVES
from schemas.lists import LISTS
from schemas.offers import OFFERS
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.schedules import SCHEDULES

VERSIONED: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (LISTS, OFFERS, CONTACTS, CREATIVES, AUDIENCES, SCHEDULES)
}
"""The datasets whose versions are kept. Revenue has none: its rows are events and changes."""


class Validity(msgspec.Struct):
    """When a version of a row was valid."""

    valid_from: Annotated[Instant, Column("When a pull first saw this version.", "UTC")]
    valid_to: Annotated[
        Instant | None, Column("When a pull first saw another one; null while it holds.", "UTC")
    ]
    removed_at: Annotated[
        Instant | None, Column("When a complete snapshot was first without the row; else null.", "UTC")
    ]


class Beginning(msgspec.Struct):
    """When a history begins."""

    dataset: Annotated[Text, Column("The dataset that the history is of.")]
    began_at: Annotated[Instant, Column("When its first row was read.", "UTC")]


BEGINNINGS = Dataset(
    name="history_began",
    row=Beginning,
    key=("dataset",),
    doc="One row per history: when it begins. Nothing is known of versions before.",
    source="",
)


def history(dataset: Dataset) -> Dataset:
    """Return the additional columns of a dataset's history."""
    return Dataset(
        name=f"{dataset.name}_history",
        row=Validity,
        key=(*dataset.key, "valid_from"),
        doc=f"One row per version of a row of {dataset.name}. As of an instant: FROM {dataset.name}_as_of(t).",
        source=dataset.source,
    )


def history_fields(dataset: Dataset) -> tuple[Field, ...]:
    """Return all columns of a dataset's history."""
    return (*dataset.fields, *BOOKKEEPING.fields, *history(dataset).fields)


def ended(dataset: Dataset) -> tuple[Dataset, tuple[Field, ...]]:
    """Return the table of versions that are no longer current, and its columns."""
    declared = Dataset(
        name=f"{dataset.name}_ended",
        row=Validity,
        key=(*dataset.key, "valid_from"),
        doc=f"One row per version that no longer holds; {dataset.name}_history has these and the present ones.",
        source="",
    )
    return declared, history_fields(dataset)


def since(dataset: Dataset) -> tuple[Dataset, tuple[Field, ...]]:
    """Return the table with the beginnings of current versions, for rows that have changed, and its columns."""
    declared = Dataset(
        name=f"{dataset.name}_since",
        row=Validity,
        key=dataset.key,
        doc=f"One row per present row of {dataset.name} that is not as it was at first: valid_from of its version.",
        source="",
    )
    key = tuple(field for field in dataset.fields if field.name in dataset.key)
    return declared, (*key, declared.fields[0])
