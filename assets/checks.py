"""Asset checks: one factory makes the checks of every dataset from its declaration; a few compare tables.

Add a check here if a promise covers several datasets. ERROR is for defects that the engine must never let through; it
blocks later assets. WARN is for problems of an account or a history file that a person should see. What must not go
in: rules about one column (declare them in `schemas`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import dagster as dg

from assets.graph.pulled import PULLED_ASSETS, warehouse
from assets.graph.pushed import PUSHED_ASSETS, imported_revenue, reconciliation
from assets.inspection.lookups import (
    Content,
    differing,
    input_content,
    left_out,
    noticed,
    recorded_outcomes,
    revenue_sums,
    snapshot_content,
)
from assets.inspection.previews import numbers
from assets.inspection.row_checks import examine
from assets.resources import Trackly
from assets.runs.engine_calls import engine
from pipelines.push.audit.balances import balances
from pipelines.push.audit.late_revenue import condition, open_alarms
from pipelines.push.ledger.opening import existing_ledger
from pipelines.push.ledger.status import differing as differing_rows
from pipelines.push.ledger.status import doubt_outside, outcomes
from pipelines.push.left_out_limit import is_over_limit
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.settings import Settings
from pipelines.text.humanize import plural
from pipelines.text.sanitize import for_pages, plain
from schemas.columns import Dataset
from schemas.own_tables.sync import Consistency
from schemas.registry import PULLED, PUSHED

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
Look = Callable[[Settings, Dataset], AbstractContextManager[Content]]
_ASSETS = {asset.key.to_user_string(): asset for asset in (*PULLED_ASSETS, *PUSHED_ASSETS)}
_MOST_SHOWN = 20
_OF_PULLED = {
    "consistency": "The snapshot is exact or repaired.",
    "claimed": "Rows published and quarantined are as many as the account claims.",
    "plausible_times": "Times lie between 2000 and tomorrow.",
}


def dataset_checks(
    asset: dg.AssetsDefinition, dataset: Dataset, look: Look = snapshot_content
) -> dg.AssetChecksDefinition:
    """Build the checks of a dataset from its declaration, for one pass over its rows.

    `contract`: every row passes the pandera model; otherwise no later asset runs. `known_values`: the vendor
    documents all values. `quarantine`: no row is in quarantine. Pulled datasets also have `consistency`: the snapshot
    is not fuzzy; `claimed`: no row is missing from the account's total; `plausible_times`: no time is before 2000 or
    after tomorrow.

    Args:
        asset: the asset with the rows.
        dataset: its declaration.
        look: opens the rows.
    """
    pulled = look is snapshot_content
    documented = any(field.column.known for field in dataset.fields)
    texts = {
        "contract": "Every row that goes on passes its pandera model.",
        "quarantine": "No row is in quarantine.",
        **({"known_values": "Values are among those documented."} if documented else {}),
        **(_OF_PULLED if pulled else {}),
    }
    specs = [
        dg.AssetCheckSpec(name, asset=asset, description=text, blocking=name == "contract")
        for name, text in texts.items()
    ]

    def results(trackly: Trackly) -> Iterator[dg.AssetCheckResult]:
        with engine(trackly) as settings, look(settings, dataset) as content:
            findings = examine(dataset, content.batches)
        manifest, reasons = content.manifest, content.reasons
        yield _result(asset, "contract", ERROR, findings.broken, {"rows": findings.rows})
        quarantined = sum(reasons.values())
        share = {"quarantined": quarantined, "share": quarantined / max(quarantined + findings.rows, 1)}
        yield _result(asset, "quarantine", WARN, reasons, share)
        if documented:
            yield _result(asset, "known_values", WARN, findings.unknown, {})
        if manifest:
            fuzzy = {manifest.evidence: 1} if manifest.consistency == Consistency.FUZZY else {}
            claim = {"consistency": str(manifest.consistency), "evidence": plain(manifest.evidence)}
            yield _result(asset, "consistency", WARN, fuzzy, claim)
            missing = {"rows that the account claims and did not serve": manifest.unserved}
            pulled_rows = {"published": manifest.rows, "quarantined": manifest.quarantined}
            yield _result(asset, "claimed", ERROR, missing if manifest.unserved else {}, pulled_rows)
            yield _result(asset, "plausible_times", WARN, +findings.odd_times, {})

    return _grouped(f"{asset.key.to_user_string()}_checks", specs, results)


def import_checks(asset: dg.AssetsDefinition, name: str) -> dg.AssetChecksDefinition:
    """Build the checks of an import: its rows add up, no row is unsettled, and rows left out are shown."""
    texts = {
        "conservation": "Every row of the input has one outcome; imports.records agrees with the ledger on each.",
        "settled": "No row is pending, and none is in doubt.",
        "left_out": "Rows left out or that differ from what was sent stay within TRACKLY_PUSH_LEFT_OUT_SHARE.",
    }
    specs = [
        dg.AssetCheckSpec(check, asset=asset, description=text, blocking=check == "conservation")
        for check, text in texts.items()
    ]

    def results(trackly: Trackly) -> Iterator[dg.AssetCheckResult]:
        with engine(trackly) as settings:
            counts, recorded = outcomes(settings)[name], recorded_outcomes(settings, name)
            reasons, beside = left_out(settings, name), noticed(settings, name)
            differs = differing_rows(settings)[name]
            outside = doubt_outside(settings).get(name, 0)
        wrong = _recorded_otherwise(counts, recorded)
        if beside["differs"] != differs:
            wrong["rows that differ from what was sent"] = beside["differs"] - differs
        yield _result(asset, "conservation", ERROR, wrong, {"rows_in": counts.rows_in})
        yield _result(asset, "settled", WARN, _unsettled(counts, outside), {})
        share = (counts.left_out + differs) / max(counts.rows_in, 1)
        over = is_over_limit(counts.rows_in, counts.left_out, differs, settings.push_left_out_share)
        figures = {
            "left_out": counts.left_out,
            "share": share,
            "differs": beside["differs"],
            "conflicts": beside["conflicts"],
        }
        if differs:
            reasons["differs from what was sent"] = differs
        yield _result(asset, "left_out", WARN, reasons if over else {}, figures)

    return _grouped(f"imported_{name}_checks", specs, results)


def _recorded_otherwise(counts: Outcomes, recorded: Mapping[str, int]) -> dict[str, int]:
    """By outcome, how many rows more than the ledger has imports.records has; only where the two differ.

    Args:
        counts: of the ledger.
        recorded: of imports.records.
    """
    more = {str(outcome): recorded.get(outcome, 0) - getattr(counts, outcome) for outcome in Outcome}
    more["rows without an outcome"] = counts.rows_in - sum(recorded.values())
    return {what: rows for what, rows in more.items() if rows}


def _unsettled(counts: Outcomes, outside: int) -> dict[str, int]:
    """Return the rows that may or may not be in the account, including rows in doubt outside of the input."""
    found = {
        "pending": counts.pending,
        "in_doubt": counts.in_doubt,
        "in_doubt, not in the current input": outside,
    }
    return {what: rows for what, rows in found.items() if rows}


@dg.asset_check(
    asset=warehouse, description="Revenue out of contacts' totals sums to contacts.revenue_total."
)
def revenue_adds_up(trackly: Trackly) -> dg.AssetCheckResult:
    """Check that revenue sums to the contacts' totals; if revenue comes as events, there is nothing to compare."""
    with engine(trackly) as settings:
        derived, total = revenue_sums(settings)
    agree = derived in (None, total)
    problem = (
        "Revenue and contacts are of different pulls: materialize contacts, revenue and warehouse together."
    )
    return dg.AssetCheckResult(
        passed=agree,
        description=None if agree else problem,
        metadata={
            "revenue": "events" if derived is None else float(derived),
            "contacts_revenue_total": float(total),
        },
    )


@dg.asset_check(
    asset=imported_revenue,
    description="No revenue turned up after it was called absent, except what somebody has acknowledged.",
)
def nothing_twice(trackly: Trackly) -> dg.AssetCheckResult:
    """Check for revenue that is perhaps there twice; no more is sent until a person has acknowledged it."""
    with engine(trackly) as settings:
        found = condition(open_alarms(settings))
    return dg.AssetCheckResult(
        passed=not found.firing,
        severity=ERROR,
        description=f"{found.text}. {found.remedy}" if found.firing else None,
        metadata=numbers(found.figures),
    )


@dg.asset_check(
    asset=reconciliation,
    description="What the ledger has as accepted is what the API acknowledged, and the contacts' totals hold it.",
)
def the_books_agree(trackly: Trackly) -> dg.AssetCheckResult:
    """Check that rows and money agree, by dataset and by contact."""
    with engine(trackly) as settings:
        with existing_ledger(settings) as ledger:
            found = balances(ledger)
        differences = differing(settings)
    shown = ("accepted", "acknowledged", "skipped", "settled", "amount")
    agree = all(balance.agrees for balance in found.values())
    missing = differences.get("missing", 0)
    problem = None if agree else "the ledger and the API's answers do not agree"
    if missing:
        less = plural(missing, "contact holds", "contacts hold")
        problem = f"{less} less than was accepted: FROM imports.differences"
    return dg.AssetCheckResult(
        passed=problem is None,
        description=problem,
        metadata={
            **differences,
            **{
                f"{name}_{field}": float(getattr(balance, field))
                for name, balance in found.items()
                for field in shown
            },
        },
    )


def _grouped(
    name: str,
    specs: Sequence[dg.AssetCheckSpec],
    results: Callable[[Trackly], Iterable[dg.AssetCheckResult]],
) -> dg.AssetChecksDefinition:
    """Build checks that run in one pass, and can also run one by one from their page."""

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True)
    def check(context: dg.AssetCheckExecutionContext, trackly: Trackly) -> Iterator[dg.AssetCheckResult]:
        chosen = {key.name for key in context.selected_asset_check_keys}
        yield from (result for result in results(trackly) if result.check_name in chosen)

    return check


def _result(
    asset: dg.AssetsDefinition,
    name: str,
    severity: dg.AssetCheckSeverity,
    findings: dict[str, int],
    figures: dict[str, int] | dict[str, float] | dict[str, str],
) -> dg.AssetCheckResult:
    """Return a passed result without findings; otherwise the result names each finding with its number of rows."""
    most = sorted(findings.items(), key=lambda item: -item[1])[:_MOST_SHOWN]
    return dg.AssetCheckResult(
        asset_key=asset.key,
        check_name=name,
        passed=not findings,
        severity=severity,
        description="; ".join(f"{for_pages(finding)} ({count:,})" for finding, count in most[:3]) or None,
        metadata={**figures, **{plain(finding): count for finding, count in most}},
    )


CHECKS = [
    *(dataset_checks(_ASSETS[name], dataset) for name, dataset in PULLED.items()),
    *(dataset_checks(_ASSETS[f"history_{name}"], dataset, input_content) for name, dataset in PUSHED.items()),
    revenue_adds_up,
    *(import_checks(_ASSETS[f"imported_{name}"], name) for name in PUSHED),
    nothing_twice,
    the_books_agree,
]
