"""Revenue of offers that TUNE syncs to Trackly by itself: it is parked, because a push would count it twice.

The API's page says that the sync looks back 7 days. What does not belong here: revenue that other files may have sent
already (`same_rows`).
"""

import duckdb

from pipelines.push.checks.known_rows import IS_NEW
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import is_any
from pipelines.runs.recording import now

_PLATFORM = "tune"
"""The network whose offers' revenue Trackly fetches every hour (/api-reference/v2/history/import-revenue)."""

_DAYS = 7
"""Days that each of these fetches looks back."""

SYNCED = (
    "offer_id: TUNE syncs the revenue of these days itself, so a push would count it twice; a row without a time may "
    "be of these days; TRACKLY_PUSH_SYNCED_REVENUE=true sends it"
)
"""Why recent revenue of a TUNE-linked offer is parked."""


def note_synced(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the table `synced` of a stage, by the offers in `pulled`."""
    connection.execute(
        "INSERT INTO synced SELECT seq FROM ready"
        f" WHERE offer_id IN (SELECT id FROM pulled WHERE external_platform = '{_PLATFORM}')"
    )


def hold_synced(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None) -> None:
    """Park rows of `synced` that are not older than 7 days before the first intake. They stay parked.

    A row that the sync has counted must not be sent when it is older, so the day of the first intake counts and not
    today. A row without a time may be of any day.
    """
    if not is_any(connection, "synced"):
        return
    first = ledger.first_intake(REVENUE) if ledger else None
    connection.execute(
        f"INSERT INTO verdicts SELECT seq, '{Outcome.PARKED}', ?, NULL, NULL, true FROM ready"
        " WHERE seq IN (SELECT seq FROM synced)"
        f" AND (timestamp IS NULL OR timestamp >= CAST(? AS TIMESTAMPTZ) - INTERVAL {_DAYS} DAYS)"
        f" AND {IS_NEW}",
        [SYNCED, first or now()],
    )
