"""Builds the manifest of a snapshot, and the figures for the run's record.

What does not belong here: how sure a snapshot is (`consistency`), and writing the manifest (`pipelines.snapshots`).
"""

import logging
from typing import Any

from pipelines.privacy import Privacy
from pipelines.pull.consistency import judge, schema_changes, source_figures, source_since
from pipelines.pull.draft import Draft
from pipelines.pull.read.chain import Evidence
from pipelines.pull.replies.fetch import Replies
from pipelines.pull.write.snapshot_files import SnapshotFiles
from pipelines.runs.recording import details, now
from pipelines.text.humanize import plural
from schemas.own_tables.sync import Consistency, Manifest
from schemas.revenue import FROM_EVENTS, OF_TOTALS, REVENUE

_log = logging.getLogger(__name__)


def manifest_of(
    made: Draft,
    files: SnapshotFiles,
    evidence: Evidence,
    replies: Replies,
    privacy: Privacy,
    before: Manifest | None,
) -> Manifest:
    """Build the manifest of a snapshot: its contents and its consistency.

    Args:
        made: the snapshot that is being made.
        files: the files that were written.
        evidence: of the scan.
        replies: the account's replies.
        privacy: which personal data was kept.
        before: the manifest of the published snapshot.
    """
    name, finished_at = made.dataset.name, now()
    consistency, why = judge(evidence, files.rows + files.quarantined)
    if replies.resumed:
        why += f"; {plural(replies.resumed, 'reply is', 'replies are')} of an interrupted pull"
        consistency = Consistency.REPAIRED if consistency == Consistency.EXACT else consistency
    source, missing = (
        (FROM_EVENTS, files.missing - OF_TOTALS) if name == REVENUE.name else ("", files.missing)
    )
    return Manifest(
        dataset=name,
        snapshot=made.snapshot,
        run=made.run,
        started_at=min([made.started_at, *(page.sent_at for page in files.pages)]),
        finished_at=finished_at,
        rows=files.rows,
        quarantined=files.quarantined,
        consistency=consistency,
        evidence=why,
        requests=evidence.requests,
        extra_requests=evidence.extra_requests,
        resumed=replies.resumed,
        retries=replies.retries,
        total=evidence.total,
        unknown_fields=", ".join(sorted(files.unknown)),
        missing_fields=", ".join(sorted(missing)),
        schema_changes=schema_changes(before, files.unknown, missing),
        odd_times=", ".join(f"{name} ({count:,})" for name, count in files.odd_times.items()),
        source=source,
        source_since=source_since(before, source, finished_at),
        personal_data=privacy.label,
    )


def figures_of(manifest: Manifest) -> Any:
    """Return the run record's figures; quarantined rows are logged too."""
    if manifest.quarantined:
        _log.info(
            "%s: %s quarantined",
            manifest.dataset,
            plural(manifest.quarantined, "row is", "rows are"),
            extra={"event": "quarantine", "dataset": manifest.dataset, "rows": manifest.quarantined},
        )
    return details(
        quarantined=manifest.quarantined,
        requests=manifest.requests,
        retries=manifest.retries,
        resumed=manifest.resumed,
        consistency=manifest.consistency,
        schema_changes=manifest.schema_changes,
        **source_figures(manifest),
    )
