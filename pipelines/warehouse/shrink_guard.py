"""The shrink guard: a publish that would remove too many rows is refused."""

import duckdb

from pipelines.errors import DataError
from pipelines.snapshots import Snapshot
from pipelines.text.humanize import form, plural
from schemas.derived.tables import literal
from schemas.registry import PULLED
from schemas.revenue import FROM_CONTACTS, FROM_EVENTS
from schemas.values.shares import is_beyond


def guard(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, share: float) -> None:
    """Compare a snapshot with the table that it would replace.

    Args:
        connection: to the warehouse.
        snapshot: the snapshot to publish.
        share: the share of the table's rows that may disappear.

    Raises:
        DataError: more rows would disappear, or all of them.
    """
    name = snapshot.manifest.dataset
    if (
        snapshot.manifest.source == FROM_CONTACTS
    ):  # derived revenue only grows, and contacts have their own check
        return
    keys = ", ".join(PULLED[name].key)
    # rows derived from contacts, before the account served events, are not in the events
    present = f"main.{name}" if name != "revenue" else f"(FROM main.{name} WHERE source = '{FROM_EVENTS}')"
    gone, before = connection.execute(
        f"SELECT count(*) FILTER (WHERE after.present IS NULL), count(*) FROM {present} LEFT JOIN "
        f"(SELECT {keys}, true AS present FROM read_parquet({literal(str(snapshot.data))})) AS after USING ({keys})"
    ).fetchall()[0]
    if before and (is_beyond(gone, before, share) or gone == before):
        raise DataError(
            f"{name}: {gone:,} of {plural(before, 'published row')} ({gone / before:.1%}) "
            f"{form(gone, 'is', 'are')} not in the account any more, "
            f"and up to {share:.0%} may be removed without --allow-shrink; nothing was published.",
            "See that TRACKLY_API_KEY is of the right account; if it is so: trackly-sync pull --allow-shrink",
        )
