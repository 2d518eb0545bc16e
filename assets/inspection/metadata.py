"""Metadata of materializations: numbers that Dagster plots, outcomes, and small previews.

Add a figure here if a page should show it. What must not go in: reading the API, how a cell is shown (`previews`),
and anything that shows phone numbers in full, messages, custom fields or raw rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import dagster as dg

from assets.inspection.lookups import first_rows
from assets.inspection.previews import Metadata, Row, preview, table
from pipelines.push.audit.reconcile import Reconciliation
from pipelines.push.checks.compared import Period
from pipelines.push.intake.found import Intake
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.snapshots import Snapshot
from pipelines.text.sanitize import plain
from pipelines.webhooks.queue.state import Received
from schemas.columns import Dataset
from schemas.derived.tables import TYPES, describe
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.own_tables.sync import RunRecord
from schemas.values.outcomes import IN_ACCOUNT, sql_list

_MOST_MONTHS = 60


def column_schema(dataset: Dataset, *, pulled: bool) -> dg.TableSchema:
    """Return a dataset's columns with their descriptions, for Dagster's asset page."""
    fields = (*dataset.fields, *BOOKKEEPING.fields) if pulled else dataset.fields
    return dg.TableSchema(
        [
            dg.TableColumn(
                field.name,
                TYPES[field.kind],
                description=describe(field),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in fields
        ]
    )


def of_snapshot(dataset: Dataset, snapshot: Snapshot, seconds: float) -> Metadata:
    """Return the metadata of a pulled dataset's materialization.

    Args:
        dataset: what was pulled.
        snapshot: the snapshot that was made.
        seconds: how long it took.
    """
    manifest = snapshot.manifest
    notes = {name: getattr(manifest, name) for name in ("unknown_fields", "missing_fields", "schema_changes")}
    return {
        **_figures(manifest.rows, seconds, manifest.quarantined),
        "consistency": str(manifest.consistency),
        "evidence": plain(manifest.evidence),
        "snapshot": manifest.snapshot,
        "path": dg.MetadataValue.path(str(snapshot.data)),
        "requests": manifest.requests,
        "retries": manifest.retries,
        **{name: plain(text) for name, text in notes.items() if text},
        "preview": preview(dataset, first_rows(snapshot)),
    }


def of_unserved(why: str) -> Metadata:
    """Return the metadata for a dataset that the account does not serve."""
    return {"rows": 0, "served": False, "answer": plain(why)}


def of_warehouse(published: Sequence[Snapshot], warehouse: Path, seconds: float) -> Metadata:
    """Return the metadata of the warehouse's materialization.

    Args:
        published: the snapshots that it holds.
        warehouse: the file.
        seconds: how long it took.
    """
    manifests = [snapshot.manifest for snapshot in published]
    columns = ("dataset", "rows", "quarantined", "consistency", "finished (UTC)")
    rows_shown = [
        (
            m.dataset,
            f"{m.rows:,}",
            f"{m.quarantined:,}",
            m.consistency,
            f"{datetime.fromisoformat(m.finished_at):%F %T}",
        )
        for m in manifests
    ]
    return {
        **_figures(sum(m.rows for m in manifests), seconds, sum(m.quarantined for m in manifests)),
        **{f"rows_{m.dataset}": m.rows for m in manifests},
        "path": dg.MetadataValue.path(str(warehouse)),
        "bytes": warehouse.stat().st_size,
        "preview": table(columns, [dict(zip(columns, row, strict=True)) for row in rows_shown]),
    }


EVENT_FIGURES = ("dagster/row_count", "bodies", "refused", "unstored")
"""Keys of `of_events` that change as soon as the receiver has received or published something."""


def of_events(
    received: Received, rows: int, seconds: float | None = None, new: int | None = None
) -> Metadata:
    """Return the metadata of the materialization of webhook events.

    Args:
        received: the receiver's figures.
        rows: how many events are published.
        seconds: how long it took; None if the receiver published by itself.
        new: how many events were published now; None in the same case.
    """
    refused = received.unsigned + received.wrongly_signed
    return {
        **_figures(rows, seconds),
        "bodies": received.bodies,
        **({} if new is None else {"new": new}),
        "refused": refused,
        "unstored": received.unstored,
        "serving": received.serving,
        **({"last_received": dg.MetadataValue.timestamp(received.since)} if received.bodies else {}),
    }


def of_intake(
    dataset: Dataset, found: Intake, months: Mapping[str, int], rows: Sequence[Row], seconds: float
) -> Metadata:
    """Return the metadata of a history asset's materialization.

    The number of rows that wait for their send is omitted: before the first import, all clicks and revenue wait.

    Args:
        dataset: the dataset.
        found: the result of the intake.
        months: number of rows by month, such as 2026-10; "" for rows without a time.
        rows: a few, as examples.
        seconds: how long it took.
    """
    reasons = [
        {"reason": reason, "rows": count}
        for reason, count in found.reasons.items()
        if not reason.startswith("parked: message_id: ")
    ]
    return {
        **_figures(found.rows_in, seconds, found.quarantined),
        "duplicate": found.duplicate,
        "known": found.known,
        "files": [plain(path.name) for path in found.files],
        "reasons": table(("rows", "reason"), reasons),
        "months": table(
            ("month", "rows"),
            [
                {"month": month or "no time", "rows": f"{n:,}"}
                for month, n in list(months.items())[-_MOST_MONTHS:]
            ],
        ),
        "preview": preview(dataset, rows),
    }


def of_outcomes(
    name: str,
    counts: Outcomes,
    noticed: Mapping[str, int],
    rows: Sequence[Row],
    done: Sequence[RunRecord],
    seconds: float,
) -> Metadata:
    """Return the metadata of an import's materialization: the run's figures as numbers, to plot over time.

    The outcomes of the input are numbers too: `input_accepted` and so on.

    Args:
        name: the dataset.
        counts: the outcomes of the current input.
        noticed: numbers of rows that differ from what was sent, are in conflict, and of all records
            (`lookups.noticed`).
        rows: a few of its records.
        done: the record of this run's push.
        seconds: how long it took.
    """
    return {
        **_where_left_out(
            counts.left_out + noticed["differs"], f"trackly-sync rejects {name}", f"dataset = '{name}'"
        ),
        "preview": table(("message_id", "outcome", "code", "reason", "row"), rows),
        **_figures(noticed["recorded"], seconds),
        **of_run(done),
        **{f"input_{outcome}": number for outcome, number in asdict(counts).items()},
        "input_left_out": counts.left_out,
        "differs": noticed["differs"],
        "conflicts": noticed["conflicts"],
    }


def of_run(done: Sequence[RunRecord]) -> Metadata:
    """Return the figures of a run's pushes: rows sent, accepted, left out and still pending."""
    return {
        name: sum(getattr(one, name) or 0 for one in done)
        for name in ("sent", "accepted", "left_out", "pending")
    }


def _where_left_out(rows: int, command: str, condition: str) -> Metadata:
    """Return a text that says how to see every row that was left out.

    Its lines are short, since the page cuts off long ones.
    """
    if not rows:
        return {}
    how = (
        f"`{command}`, or by SQL:\n\n"
        f"```sql\nSELECT outcome, code, reason, file, row\nFROM imports.records\n"
        f"WHERE {condition}\nAND (differs OR outcome NOT IN\n    {sql_list(IN_ACCOUNT)})\nAND in_input\n```"
    )
    return {"rejects": dg.MetadataValue.md(how)}


def of_month(
    counts: Mapping[str, Mapping[str, int]],
    between: Period,
    done: Sequence[RunRecord] | None,
    seconds: float | None,
    differs: int = 0,
) -> Metadata:
    """Return the metadata of a month's import.

    The run's figures, and the month's rows by outcome (`month_accepted` and so on).

    Args:
        counts: by dataset, rows by outcome.
        between: the month.
        done: the records of this run's pushes; None if they were not of this month only.
        seconds: how long it took; None in the same case.
        differs: number of rows that differ from what was sent.
    """
    first, next_first = (f"'{day:%F} 00:00Z'" for day in between)
    total = {str(o): sum(by.get(o, 0) for by in counts.values()) for o in Outcome}
    rows = sum(total.values())
    return {
        "outcomes": _by_dataset(counts, [name for name, number in total.items() if number]),
        **_where_left_out(
            rows - total[Outcome.ACCEPTED] - total[Outcome.DUPLICATE] + differs,
            "trackly-sync rejects",
            f"happened_at >= {first}\nAND happened_at < {next_first}",
        ),
        **_figures(rows, seconds),
        **({} if done is None else of_run(done)),
        **{f"month_{outcome}": number for outcome, number in total.items()},
        "differs": differs,
    }


def _by_dataset(counts: Mapping[str, Mapping[str, int]], shown: Sequence[str]) -> dg.TableMetadataValue:
    """Return a table of rows by outcome, one line per dataset, with the outcomes that any row has."""
    lines = [
        {"dataset": name, "rows": f"{sum(by.values()):,}"} | {o: f"{by.get(o, 0):,}" for o in shown}
        for name, by in counts.items()
    ]
    return table(("dataset", "rows", *shown), lines)


def of_reconciliation(done: Reconciliation, seconds: float) -> Metadata:
    """Return the metadata of the reconciliation's materialization."""
    columns = ("dataset", "accepted", "acknowledged", "skipped", "in_doubt", "amount", "amount_acknowledged")
    balances = done.balances
    return {
        **_figures(sum(done.findings.values()), seconds),
        "accepted": sum(balance.accepted for balance in balances.values()),
        "in_doubt": sum(balance.in_doubt for balance in balances.values()),
        "contacts": done.contacts,
        **done.findings,
        "missing_revenue": float(done.missing),
        "still_twice": done.still_twice.contacts,
        "still_twice_revenue": float(done.still_twice.amount),
        "repeated_calls": done.repeated_calls,
        "agrees": done.agrees,
        "verdict": str(done.verdict),
        "preview": table(
            columns, [{c: getattr(balance, c) for c in columns} for balance in balances.values()]
        ),
    }


def _figures(row_count: int, seconds: float | None, quarantined: int | None = None) -> Metadata:
    """Return the figures that every materialization has; each figure has one key."""
    return {
        "dagster/row_count": row_count,
        **({} if quarantined is None else {"quarantined": quarantined}),
        **({} if seconds is None else {"duration_seconds": round(seconds, 3)}),
    }
