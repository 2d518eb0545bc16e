"""The data dictionary (docs/data-dictionary.md), derived from the declarations.

`python -m schemas.dictionary` writes it; a test compares the file with it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.columns import Dataset, Field
from schemas.derived.tables import TYPES, describe
from schemas.marts.registry import MARTS
from schemas.own_tables.campaigns import COUNTED
from schemas.own_tables.imports import CHUNKS, DIFFERENCES, RECORDS, RESOLUTIONS
from schemas.own_tables.pull_columns import BOOKKEEPING, QUARANTINED
from schemas.own_tables.revenue_readings import REVENUE_READINGS
from schemas.own_tables.sync import PAGES, RUNS, SNAPSHOTS, WRITTEN_BY
from schemas.own_tables.versions import BEGINNINGS, VERSIONED, ended, history, since
from schemas.registry import DERIVED, PULLED, PUSHED
from schemas.webhook_events import REJECTIONS, WEBHOOK_EVENTS, WEBHOOKS

_SYNC = (SNAPSHOTS, PAGES, RUNS, REVENUE_READINGS, BEGINNINGS, WRITTEN_BY)
_RECEIVER = (WEBHOOKS, REJECTIONS)
DOCUMENT = Path("docs/data-dictionary.md")


def dictionary() -> str:
    """Return the complete document as Markdown."""
    parts = [
        "# Data dictionary",
        "Generated from `schemas/` by `python -m schemas.dictionary`; do not edit by hand.",
        *_pulled(),
        "## What the webhook receiver was sent: `webhook_events`",
        _section(WEBHOOK_EVENTS, WEBHOOK_EVENTS.fields),
        "## Marts: views for analysts, schema `marts`",
        *_sections(MARTS.values()),
        "## What ran and what was read: schema `sync`",
        *_sections((*_SYNC, *_RECEIVER, *COUNTED)),
        "### What the histories are made of, in schema `sync`",
        "Read `<dataset>_history` instead, which has these and the present rows.",
        *(
            f"- `{kept.name}`: {kept.doc}"
            for versioned in VERSIONED.values()
            for kept, _ in (ended(versioned), since(versioned))
        ),
        "## What was pushed: schema `imports`",
        *_sections((RECORDS, CHUNKS, RESOLUTIONS, DIFFERENCES)),
        "## Columns of history files",
        *_sections(PUSHED.values()),
    ]
    return "\n\n".join(parts) + "\n"


def _pulled() -> Iterator[str]:
    """Yield the parts on pulled, derived and quarantined tables."""
    yield "## Pulled: tables in `warehouse.duckdb`, schema `main`"
    for dataset in PULLED.values():
        yield _section(dataset, (*dataset.fields, *BOOKKEEPING.fields))
    yield "## Out of what is nested in them: views in schema `main`"
    yield from _sections(DERIVED.values())
    yield "## Quarantined: one table per pulled dataset in schema `quarantine`"
    yield _section(QUARANTINED, QUARANTINED.fields)
    yield "## Every version of a row: views in schema `main`"
    yield "Each has the columns of its dataset and those below."
    yield from _sections(history(dataset) for dataset in VERSIONED.values())
    macros = ", ".join(f"`{name}_as_of(t)`" for name in VERSIONED)
    yield f"Macros: {macros} give the rows as pulls had found them at an instant, with the columns of the table."


def _sections(datasets: Iterable[Dataset]) -> Iterator[str]:
    return (_section(dataset, dataset.fields) for dataset in datasets)


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
