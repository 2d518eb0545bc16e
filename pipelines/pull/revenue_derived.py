"""Revenue out of contacts' totals, where the account does not serve revenue events.

The revenue dataset then grows: each snapshot is the rows of the one before it plus one row for every contact
whose total or conversions differ from the sum of those rows. Sums over contact-sourced rows therefore equal the
contacts' totals at any moment, also after a contact has gone (a negative row) or a pull was left out.
"""

from pathlib import Path

import pyarrow.parquet as pq

from pipelines.errors import DataError
from pipelines.pull.decode.batches import BATCH_ROWS
from pipelines.pull.write.scratch import scratch
from pipelines.runs import now
from pipelines.snapshots import (
    Snapshot,
    data_file,
    draft,
    new_snapshot_id,
    pages_file,
    quarantine_file,
    seal,
)
from pipelines.storage import storage_errors
from schemas.arrow import arrow_schema, quarantine_schema
from schemas.bookkeeping import BOOKKEEPING
from schemas.frames import broken_rows
from schemas.revenue import FROM_CONTACTS, REVENUE
from schemas.sync import PAGES, Manifest
from schemas.tables import create_table, literal

_BALANCES = """
CREATE TEMP TABLE balances AS
SELECT phone_number, list_id, sum(revenue) AS revenue, sum(conversion_count) AS conversion_count
FROM revenue GROUP BY phone_number, list_id
"""

_CHANGES = """
INSERT INTO revenue BY NAME
SELECT
    coalesce(contact.revenue_total, 0) - coalesce(balance.revenue, 0) AS revenue,
    coalesce(contact.conversion_count, 0) - coalesce(balance.conversion_count, 0) AS conversion_count,
    $source AS source,
    phone_number,
    list_id,
    coalesce(contact.synced_at, $taken::TIMESTAMPTZ) AS timestamp,
    (SELECT max(timestamp) FROM revenue) AS since,
    coalesce(contact.synced_at, $taken::TIMESTAMPTZ) AS synced_at,
    $snapshot AS snapshot,
    coalesce(contact.page, 0) AS page
FROM contacts AS contact FULL JOIN balances AS balance USING (phone_number, list_id)
WHERE coalesce(contact.revenue_total, 0) <> coalesce(balance.revenue, 0)
   OR coalesce(contact.conversion_count, 0) <> coalesce(balance.conversion_count, 0)
"""


def derive_revenue(dataset_dir: Path, contacts: Snapshot, earlier: Path | None, run: str) -> Snapshot:
    """Write the revenue snapshot that belongs to a contacts snapshot.

    Args:
        dataset_dir: the folder of revenue snapshots.
        contacts: the snapshot whose totals it is to match.
        earlier: rows of the latest revenue snapshot, as Parquet; of those, the ones from contacts are taken over.
        run: the run that asks.

    Raises:
        StorageError: the disk refused.
    """
    started = now()
    snapshot = new_snapshot_id(dataset_dir)
    with draft(dataset_dir, snapshot) as folder:
        rows = _write_rows(folder, snapshot, contacts, earlier)
        with storage_errors("write", folder):
            pq.write_table(quarantine_schema().empty_table(), quarantine_file(folder))
            pq.write_table(arrow_schema(PAGES).empty_table(), pages_file(folder))
        _validate(data_file(folder))
        manifest = Manifest(
            dataset=REVENUE.name,
            snapshot=snapshot,
            run=run,
            started_at=started,
            finished_at=now(),
            rows=rows,
            quarantined=0,
            consistency=contacts.manifest.consistency,
            evidence=f"changes of the totals in contacts snapshot {contacts.manifest.snapshot}",
            source=FROM_CONTACTS,
            personal_data=contacts.manifest.personal_data,
        )
        return seal(folder, manifest)


def _write_rows(folder: Path, snapshot: str, contacts: Snapshot, earlier: Path | None) -> int:
    values = {"source": FROM_CONTACTS, "taken": contacts.manifest.finished_at, "snapshot": snapshot}
    with scratch(folder) as connection:
        connection.execute(f"CREATE VIEW contacts AS FROM read_parquet({literal(str(contacts.data))})")
        connection.execute(create_table("revenue", (*REVENUE.fields, *BOOKKEEPING.fields)))
        if earlier:
            connection.execute(
                f"INSERT INTO revenue BY NAME FROM read_parquet({literal(str(earlier))}) WHERE source = $source",
                {"source": FROM_CONTACTS},
            )
        connection.execute(_BALANCES)
        connection.execute(_CHANGES, values)
        target = literal(str(data_file(folder)))
        copied = connection.execute(f"COPY revenue TO {target} (FORMAT parquet, COMPRESSION zstd)").fetchall()
    return int(copied[0][0])


def _validate(data: Path) -> None:
    """Hold the rows to their own contract: what breaks it here is ours, not the API's."""
    for batch in pq.ParquetFile(data).iter_batches(BATCH_ROWS):
        broken = broken_rows(REVENUE, batch)
        if broken:
            raise DataError(
                f"revenue: {len(broken)} derived rows break the contract: {min(broken.values())}."
            )
