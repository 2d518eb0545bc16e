"""Results of commands: tables for people, one JSON document for programs."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from pipelines.cli.terminal.consoles import out
from pipelines.push.outcomes import Outcomes
from pipelines.text.humanize import age, duration, form, plural, sentence
from pipelines.text.sanitize import for_json, plain
from schemas.own_tables.sync import Manifest, source_note
from schemas.registry import PULLED, PUSHED
from schemas.values.outcomes import LEFT_OUT, Outcome

SHORT = 8
"""Characters of a run's id that are shown; `trackly-sync runs` accepts them."""


def show_json(content: Any) -> None:
    """Print one JSON document on standard output."""
    out.print(for_json(json.dumps(content, indent=2)), markup=False, soft_wrap=True)


def pull_json(manifest: Manifest | None) -> dict[str, Any] | None:
    """Return a dataset's part of `status --json`."""
    if manifest is None:
        return None
    return {
        "rows": manifest.rows,
        "quarantined": manifest.quarantined,
        "consistency": str(manifest.consistency),
        "snapshot": manifest.snapshot,
        "finished_at": manifest.finished_at,
    }


def status_json(
    pulled: Mapping[str, Manifest], pushed: Mapping[str, Outcomes], differing: Mapping[str, int]
) -> dict[str, Any]:
    """Return the document of `status --json`; a dataset that was never pulled is null.

    `differs` is there only if rows differ. If the ledger cannot be read, there are no outcomes, and every dataset of
    `push` is null.

    Args:
        pulled: by dataset, the manifest of what is published.
        pushed: by dataset, the outcomes of the current input.
        differing: by dataset, how many rows differ from what was sent.
    """
    document: dict[str, Any] = {
        "pull": {name: pull_json(pulled.get(name)) for name in PULLED},
        "push": {name: asdict(pushed[name]) if name in pushed else None for name in PUSHED},
    }
    if any(differing.values()):
        document["differs"] = {name: differing.get(name, 0) for name in PUSHED}
    return document


def show_pulled(manifests: Mapping[str, Manifest], names: Collection[str] = tuple(PULLED)) -> None:
    """Show a table of these datasets in the warehouse."""
    table = Table("dataset", box=None, pad_edge=False, header_style="bold")
    for title in ("rows", "quarantined"):
        table.add_column(title, justify="right")
    for title in ("consistency", "age", "run"):
        table.add_column(title)
    for name in (name for name in PULLED if name in names):
        manifest = manifests.get(name)
        if manifest is None:
            table.add_row(name, "-", "-", "never pulled", "-", "-")
            continue
        consistency = {"exact": "green", "repaired": "green"}.get(str(manifest.consistency), "yellow")
        bad = f"[yellow]{manifest.quarantined:,}[/]" if manifest.quarantined else "0"
        table.add_row(
            name,
            f"{manifest.rows:,}",
            bad,
            f"[{consistency}]{manifest.consistency}[/]",
            age(manifest.finished_at),
            manifest.run[:SHORT],
        )
    out.print(table)


def show_pushed(outcomes: Mapping[str, Outcomes], title: str = "imports") -> None:
    """Show a table of outcomes, one column per import."""
    table = Table(title, box=None, pad_edge=False, header_style="bold")
    for name in outcomes:
        table.add_column(name, justify="right")
    for outcome in ("rows_in", *Outcome):
        counts = [getattr(of_import, outcome) for of_import in outcomes.values()]
        colour = "yellow" if outcome in LEFT_OUT and any(counts) else "default"
        table.add_row(
            f"[{colour}]{outcome.replace('_', ' ')}[/]", *(f"[{colour}]{count:,}[/]" for count in counts)
        )
    out.print(table)


def pull_notes(pulled: Mapping[str, Manifest]) -> list[str]:
    """Return notes on pulled datasets that need attention, each with the command for it."""
    notes = [] if pulled else ["Nothing has been pulled yet: trackly-sync pull"]
    for name, manifest in pulled.items():
        if manifest.quarantined:
            notes.append(
                f"{plural(manifest.quarantined, 'row')} of {name} quarantined: trackly-sync rejects {name}"
            )
        if manifest.consistency == "fuzzy":
            notes.append(f"{name} is fuzzy ({manifest.evidence}): trackly-sync pull {name}")
        if manifest.odd_times:
            notes.append(
                f"{name} has times before 2000 or after tomorrow, kept as they are: {manifest.odd_times}"
            )
        if manifest.schema_changes:
            notes.append(f"Fields of {name} changed: {manifest.schema_changes}")
        if note := source_note(manifest):
            notes.append(sentence(note))
    return notes


def push_notes(pushed: Mapping[str, Outcomes]) -> list[str]:
    """Return notes on pushed rows that need attention, each with the command for it."""
    notes = []
    for name, counts in pushed.items():
        if counts.left_out:
            which = ", ".join(
                f"{number:,} {outcome.replace('_', ' ')}"
                for outcome in LEFT_OUT
                if (number := getattr(counts, outcome))
            )
            notes.append(
                f"{plural(counts.left_out, 'row')} of {name} left out ({which}): trackly-sync rejects {name}"
                + _sends_first(pushed, name)
            )
        if counts.in_doubt:
            notes.append(f"{plural(counts.in_doubt, 'row')} of {name} in doubt: trackly-sync resolve")
        if counts.pending:
            notes.append(
                f"{plural(counts.pending, 'row')} of {name} still to be sent: trackly-sync push {name}"
            )
    return notes


def doubt_notes(outside: Mapping[str, int]) -> list[str]:
    """Return notes on rows in doubt that the outcomes of the current input do not count."""
    return [
        f"{plural(rows, 'row')} of {name} in doubt {form(rows, 'is', 'are')} not in the current input, or "
        "quarantined there: trackly-sync resolve"
        for name, rows in outside.items()
    ]


def _sends_first(pushed: Mapping[str, Outcomes], name: str) -> str:
    """Return an addition to a note if rows of a dataset wait for sends that are still pending."""
    waits = name != "sends" and pushed[name].parked and "sends" in pushed and pushed["sends"].pending
    return "; for rows whose sends are still to be sent: trackly-sync push" if waits else ""


def differing_notes(differing: Mapping[str, int]) -> list[str]:
    """Return notes on rows in the account that were changed in their file since."""
    return [
        f"{plural(rows, 'row')} of {name} {form(rows, 'differs', 'differ')} from what was sent, which the "
        f"account keeps: trackly-sync rejects {name} --outcome differs, then trackly-sync resolve --differs {name}"
        for name, rows in differing.items()
        if rows
    ]


def show_cost(seconds: float, requests: int, retries: int, rows: int | None = None) -> None:
    """Show the last line of a pull or a push.

    Args:
        seconds: how long it took.
        requests: number of requests, retries included.
        retries: number of retries.
        rows: number of rows moved; None to show no rate.
    """
    moved = "" if rows is None else f"{plural(rows, 'row')} ({rows / seconds:,.0f} a second), "
    again = f", {retries:,} of them tried again" if retries else ""
    out.print(f"\nTook {duration(seconds)}: {moved}{plural(requests, 'request')}{again}.")


def show_notes(title: str, notes: Sequence[str]) -> None:
    """Show a list with a title, unless it is empty."""
    if notes:
        out.print(f"\n[bold]{title}[/]")
        for note in notes:
            out.print(f"  {plain(note)}", markup=False)
