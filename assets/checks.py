"""Asset checks: one factory makes every dataset's from its declaration; a few hold tables to each other.

Add a check here when a promise spans datasets. What must not go in: rules about one column (declare them in
`schemas`).
"""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pyarrow.parquet as pq

from assets.pulled import contacts, lists, offers, revenue, warehouse
from assets.pushed import imported_clicks, imported_revenue, imported_sends, reconciliation
from assets.resources import Trackly
from pipelines.pull.refine import BATCH_ROWS
from pipelines.pull.snapshot import latest
from pipelines.push.reconcile import reconcile
from pipelines.push.status import outcomes
from pipelines.settings import Settings
from pipelines.warehouse.swap import reading
from schemas.columns import Dataset
from schemas.frames import broken_rows
from schemas.registry import PULLED, PUSHED
from schemas.revenue import FROM_CONTACTS

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def dataset_checks(asset: dg.AssetsDefinition, dataset: Dataset) -> dg.AssetChecksDefinition:
    """The checks of a pulled dataset, all from its declaration, on its newest snapshot.

    `contract`: every row passes the pandera model. `known_values`: values are among those that the vendor
    documents. `quarantine`: no row was set aside. `consistency`: the snapshot is not fuzzy.
    """
    specs = [
        dg.AssetCheckSpec(
            "contract", asset=asset, description="Every published row passes its pandera model."
        ),
        dg.AssetCheckSpec("known_values", asset=asset, description="Values are among those documented."),
        dg.AssetCheckSpec("quarantine", asset=asset, description="No row was set aside."),
        dg.AssetCheckSpec("consistency", asset=asset, description="The snapshot is exact or repaired."),
    ]

    @dg.multi_asset_check(name=f"{dataset.name}_checks", specs=specs)
    def check(trackly: Trackly) -> Iterator[dg.AssetCheckResult]:
        yield from _check_dataset(trackly.settings(), dataset, asset.key)

    return check


def _check_dataset(settings: Settings, dataset: Dataset, key: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    snapshot = latest(settings.parquet_dir, dataset.name)
    if snapshot is None:
        raise dg.Failure(f"There is no snapshot of {dataset.name} to check.", allow_retries=False)
    broken: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    known = {field.name: set(field.column.known) for field in dataset.fields if field.column.known}
    for batch in pq.ParquetFile(snapshot.data).iter_batches(BATCH_ROWS):
        for reasons in broken_rows(dataset, batch).values():
            broken.update(reasons.split("; "))
        for name, values in known.items():
            found = Counter(batch.column(name).to_pylist())
            unknown.update(
                {
                    f"{name}: {value}": n
                    for value, n in found.items()
                    if value is not None and value not in values
                }
            )
    manifest = snapshot.manifest
    yield _result(key, "contract", not broken, ERROR, {**broken, "rows": manifest.rows})
    yield _result(key, "known_values", not unknown, WARN, dict(unknown))
    yield _result(key, "quarantine", manifest.quarantined == 0, WARN, {"quarantined": manifest.quarantined})
    fuzzy = manifest.consistency == "fuzzy"
    yield _result(key, "consistency", not fuzzy, WARN, {"evidence": manifest.evidence})


def _result(
    key: dg.AssetKey,
    name: str,
    passed: bool,
    severity: dg.AssetCheckSeverity,
    metadata: dict[str, int] | dict[str, str],
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key, check_name=name, passed=passed, severity=severity, metadata=dict(metadata)
    )


@dg.asset_check(
    asset=warehouse, description="Revenue out of contacts' totals sums to contacts.revenue_total."
)
def revenue_adds_up(trackly: Trackly) -> dg.AssetCheckResult:
    """Money is the same by either way of counting it; nothing to compare where revenue comes as events."""
    with reading(trackly.settings().warehouse) as connection:
        ((by_change, by_contact, derived),) = connection.execute(
            "SELECT (SELECT coalesce(sum(revenue), 0) FROM revenue WHERE source = $source), "
            "(SELECT coalesce(sum(revenue_total), 0) FROM contacts), "
            "(SELECT count(*) FROM sync.snapshots WHERE dataset = 'revenue' AND published AND source = $source)",
            {"source": FROM_CONTACTS},
        ).fetchall()
    return dg.AssetCheckResult(
        passed=not derived or by_change == by_contact,
        metadata={"revenue": float(by_change), "contacts_revenue_total": float(by_contact)},
    )


def import_check(asset: dg.AssetsDefinition, name: str) -> dg.AssetChecksDefinition:
    """The check that every row of an import has one outcome and none is in doubt or left to be sent."""

    @dg.asset_check(
        asset=asset,
        name="every_row_is_settled",
        description="No row of the input is pending, and none is in doubt.",
    )
    def check(trackly: Trackly) -> dg.AssetCheckResult:
        counts = outcomes(trackly.settings())[name]
        return dg.AssetCheckResult(
            passed=counts.pending == 0 and counts.in_doubt == 0,
            severity=WARN,
            metadata={"rows_in": counts.rows_in, "pending": counts.pending, "in_doubt": counts.in_doubt},
        )

    return check


@dg.asset_check(asset=reconciliation, description="imports.records holds each row of the input exactly once.")
def every_row_has_one_outcome(trackly: Trackly) -> dg.AssetCheckResult:
    """The rows in the warehouse, counted anew, are the rows that were taken in."""
    settings = trackly.settings()
    with reading(settings.warehouse) as connection:
        found = dict(
            connection.execute(
                "SELECT dataset, count(*) FROM imports.records WHERE in_input GROUP BY dataset"
            ).fetchall()
        )
    counts = outcomes(settings)
    wrong = {name: found.get(name, 0) - counts[name].rows_in for name in PUSHED}
    return dg.AssetCheckResult(passed=not any(wrong.values()), metadata=dict(wrong))


@dg.asset_check(
    asset=reconciliation, description="What the ledger has as accepted is what the API acknowledged."
)
def the_books_agree(trackly: Trackly) -> dg.AssetCheckResult:
    """Rows and money, per dataset."""
    books = reconcile(trackly.settings())
    return dg.AssetCheckResult(
        passed=all(book.agrees for book in books.values()),
        metadata={
            f"{name}_{field}": float(getattr(book, field)) for name, book in books.items() for field in _SHOWN
        },
    )


_SHOWN = ("accepted", "acknowledged", "skipped", "amount", "amount_acknowledged")

CHECKS = [
    dataset_checks(lists, PULLED["lists"]),
    dataset_checks(offers, PULLED["offers"]),
    dataset_checks(contacts, PULLED["contacts"]),
    dataset_checks(revenue, PULLED["revenue"]),
    revenue_adds_up,
    import_check(imported_sends, "sends"),
    import_check(imported_clicks, "clicks"),
    import_check(imported_revenue, "revenue"),
    every_row_has_one_outcome,
    the_books_agree,
]
