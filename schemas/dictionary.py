"""The data dictionary (docs/data-dictionary.md), derived from the declarations.

`python -m schemas.dictionary` writes it; a test holds the file to it.
"""

from pathlib import Path

from schemas.bookkeeping import BOOKKEEPING, QUARANTINED
from schemas.columns import Dataset, Field
from schemas.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.marts import MARTS
from schemas.registry import PULLED, PUSHED
from schemas.revenue_readings import REVENUE_READINGS
from schemas.sync import PAGES, RUNS, SNAPSHOTS, WRITTEN_BY
from schemas.tables import TYPES, describe
from schemas.versions import BEGINNINGS, VERSIONED, ended, history, since
from schemas.webhook_events import REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_SYNC = (SNAPSHOTS, PAGES, RUNS, REVENUE_READINGS, BEGINNINGS, WRITTEN_BY)
_RECEIVER = (WEBHOOKS, REJECTIONS)
DOCUMENT = Path("docs/data-dictionary.md")


def dictionary() -> str:
    """The whole document as Markdown."""
    parts = [
        "# Data dictionary",
        "Generated from `schemas/` by `python -m schemas.dictionary`; do not edit by hand.",
        "## Pulled: tables in `warehouse.duckdb`, schema `main`",
        *(_section(dataset, (*dataset.fields, *BOOKKEEPING.fields)) for dataset in PULLED.values()),
        "## Set aside: one table per pulled dataset in schema `quarantine`",
        _section(QUARANTINED, QUARANTINED.fields),
        "## Every version of a row: the columns of `contacts`, `lists` or `offers` and",
        *(_section(history(dataset), history(dataset).fields) for dataset in VERSIONED.values()),
        "Macros: "
        + ", ".join(f"`{name}_as_of(t)`" for name in VERSIONED)
        + " give the rows as pulls had found them at an instant, with the columns of the table.",
        "## What the webhook receiver was sent: `webhook_events`",
        _section(WEBHOOK_EVENTS, WEBHOOK_EVENTS.fields),
        "## Marts: views for analysts, schema `marts`",
        *(_section(mart, mart.fields) for mart in MARTS.values()),
        "## What ran and what was read: schema `sync`",
        *(_section(dataset, dataset.fields) for dataset in (*_SYNC, *_RECEIVER)),
        "### What the histories are made of, in schema `sync`",
        "Read `<dataset>_history` instead, which has these and the present rows.",
        *(f"- `{kept.name}`: {kept.doc}" for of in VERSIONED.values() for kept, _ in (ended(of), since(of))),
        "## What was pushed: schema `imports`",
        *(_section(dataset, dataset.fields) for dataset in (RECORDS, CHUNKS, RESOLUTIONS, DIFFERENCES)),
        "## Columns of history files",
        *(_section(dataset, dataset.fields) for dataset in PUSHED.values()),
    ]
    return "\n\n".join(parts) + "\n"


def _section(dataset: Dataset, fields: tuple[Field, ...]) -> str:
    head = [f"### {dataset.name}", dataset.doc]
    if dataset.key:
        head.append(f"Key: {', '.join(f'`{name}`' for name in dataset.key)}.")
    if dataset.page:
        head.append(f"Source: <{dataset.page.replace(' ', '> ', 1)}{'' if ' ' in dataset.page else '>'}.")
    rows = [
        f"| `{field.name}` | {TYPES[field.kind]} | {'yes' if field.nullable else 'no'} | {describe(field)} |"
        for field in fields
    ]
    table = "\n".join(["| column | type | may be null | meaning |", "|---|---|---|---|", *rows])
    return "\n\n".join([*head, table])


if __name__ == "__main__":
    DOCUMENT.write_text(dictionary(), encoding="utf-8")
