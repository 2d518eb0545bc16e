"""How fresh each dataset is, pulled or pushed.

What does not belong here: which age alerts (`pipelines.alerts`), and how the mart is computed (see `schemas.marts`).
"""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Instant, Integer, Ratio, Text
from schemas.marts.columns import mart


class Freshness(msgspec.Struct):
    """How old one dataset's data is."""

    direction: Annotated[Text, Column("Which way the data goes.", known=("pull", "push"))]
    dataset: Annotated[Text, Column("The dataset.")]
    as_of: Annotated[
        Instant | None,
        Column(
            "Pull: when the published snapshot was complete. Push: the last answered call. Null: never.",
            "UTC",
        ),
    ]
    age_hours: Annotated[Ratio | None, Column("How long ago that is, at the time of the query.", "hours")]
    rows: Annotated[Integer, Column("Rows published, or rows in the account through a push.", "rows")]
    left_out: Annotated[
        Integer,
        Column(
            "Pull: rows quarantined. Push: rows of the current input that are rejected, quarantined, parked or in"
            " doubt; pending ones are not left out.",
            "rows",
        ),
    ]
    consistency: Annotated[Text | None, Column("How sure the snapshot is (pull only); see sync.snapshots.")]
    last_run_at: Annotated[
        Instant | None,
        Column(
            "When the last run that the warehouse knows of began. A pull that fails changes nothing here, so it "
            "shows only once another one has published: for the present see trackly-sync status, and age_hours.",
            "UTC",
        ),
    ]
    last_run_status: Annotated[Text | None, Column("How that run ended.")]
    last_success_at: Annotated[Instant | None, Column("When a run last succeeded.", "UTC")]


FRESHNESS_MARTS: tuple[Dataset, ...] = (
    mart("freshness", Freshness, ("direction", "dataset"), "One row per dataset that is pulled or pushed."),
)
