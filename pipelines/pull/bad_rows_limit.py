"""The share of bad rows at which a pull publishes nothing (TRACKLY_PULL_BAD_SHARE).

What does not belong here: which rows are bad (`write.validate`), and keeping them (`write.deduplicate`).
"""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.text.humanize import form, plural
from schemas.own_tables.sync import Manifest

_REASONS_SHOWN = 3


def hold_to_limit(manifest: Manifest, quarantine: Path, limit: float) -> None:
    """Refuse a snapshot with too many bad rows.

    Args:
        manifest: the snapshot's manifest.
        quarantine: the snapshot's file of quarantined rows.
        limit: the largest share of bad rows that is allowed, 0 to 1.

    Raises:
        DataError: naming the most common reasons.
    """
    if manifest.bad_share <= limit:
        return
    reasons = Counter(pq.read_table(quarantine, columns=["reason"])["reason"].to_pylist())
    common = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(_REASONS_SHOWN))
    pulled = manifest.rows + manifest.quarantined
    raise DataError(
        f"{manifest.dataset}: {manifest.quarantined:,} of {plural(pulled, 'row')} ({manifest.bad_share:.1%}) "
        f"{form(manifest.quarantined, 'is', 'are')} bad, the limit is {limit:.1%}; nothing was published. "
        f"Most common: {common}.",
        "Correct the rows in Trackly, or raise TRACKLY_PULL_BAD_SHARE.",
    )
