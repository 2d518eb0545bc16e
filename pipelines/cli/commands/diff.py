"""`trackly-sync diff`: what changed between two pulls, by column.

What does not belong here: comparing (`pipelines.warehouse.diff`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.shared.arguments import AsJson, chosen, dataset_names
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.settings import load_settings
from pipelines.text.humanize import plural
from pipelines.text.sanitize import plain
from schemas.own_tables.versions import VERSIONED

if TYPE_CHECKING:
    from pipelines.snapshots import Snapshot
    from pipelines.warehouse.diff import Change, Diff

_EXAMPLES = 3
_PERSONAL = ("phone_number", "custom_fields", "extra", "message", "blasts", "filter")
"""Columns whose values are masked unless --show-values is given; `extra` holds fields of unknown meaning."""


@guarded
def diff(
    dataset: Annotated[
        str,
        typer.Argument(
            help="contacts, lists, offers, creatives, audiences or schedules.",
            metavar="DATASET",
            autocompletion=dataset_names(tuple(VERSIONED)),
        ),
    ],
    before: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SNAPSHOT",
            help="Id of the earlier snapshot; by default the one before the other.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--to", metavar="SNAPSHOT", help="Id of the later snapshot; by default the newest."),
    ] = None,
    show_values: Annotated[
        bool,
        typer.Option("--show-values", help="Show phone numbers and custom fields, which are personal data."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Show what changed between two pulls: rows added and removed, and rows changed, by column.

    Snapshots on disk are listed in the table sync.snapshots; TRACKLY_KEEP_SNAPSHOTS says how many there are. Phone
    numbers, custom fields, messages and filters are masked: letters are x, digits 9.

    Examples:
    - `trackly-sync diff contacts`: the last two pulls.
    - `trackly-sync diff offers --json`: for a program.
    """
    (name,) = chosen([dataset], VERSIONED)
    settings = load_settings()
    from pipelines.warehouse.diff import compare, snapshots_to_compare  # noqa: PLC0415 - keeps help fast

    found = compare(settings, *snapshots_to_compare(settings, name, before, after), _EXAMPLES)
    document = _document(name, found, show_values=show_values)
    if as_json:
        show_json(document)
        return 0
    for line in _lines(document):
        out.print(plain(line), markup=False)
    return 0


def _document(name: str, found: "Diff", *, show_values: bool) -> dict[str, Any]:
    def keys(rows: "tuple[dict[str, Any], ...]") -> list[dict[str, Any]]:
        return [_shown(key, show_values=show_values) for key in rows]

    return {
        "dataset": name,
        "from": _snapshot(found.before),
        "to": _snapshot(found.after),
        "added": found.added,
        "removed": found.removed,
        "changed": found.changed,
        "unchanged": found.after.manifest.rows - found.added - found.changed,
        "columns": {
            column: {
                "rows": changes.rows,
                "examples": [
                    _example(column, change, show_values=show_values) for change in changes.examples
                ],
            }
            for column, changes in found.columns.items()
        },
        "added_examples": keys(found.added_keys),
        "removed_examples": keys(found.removed_keys),
        "masked": not show_values,
    }


def _snapshot(snapshot: "Snapshot") -> dict[str, Any]:
    manifest = snapshot.manifest
    return {
        "snapshot": manifest.snapshot,
        "finished_at": manifest.finished_at,
        "rows": manifest.rows,
        "consistency": str(manifest.consistency),
    }


def _example(column: str, change: "Change", *, show_values: bool) -> dict[str, Any]:
    both = [
        _shown({column: value}, show_values=show_values)[column] for value in (change.before, change.after)
    ]
    return {"key": _shown(change.key, show_values=show_values), "before": both[0], "after": both[1]}


def _shown(values: Mapping[str, Any], *, show_values: bool) -> dict[str, Any]:
    """Return the values for JSON, with personal ones masked."""
    from pipelines.push.findings.values import shown  # noqa: PLC0415 - keeps help fast

    return {
        name: shown(str(value), masked=not show_values)
        if name in _PERSONAL and value is not None
        else _plain_value(value)
        for name, value in values.items()
    }


def _plain_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return value


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{document['dataset']}:"
    for side in ("from", "to"):
        snapshot = document[side]
        made, rows = snapshot["finished_at"][:19], plural(snapshot["rows"], "row")
        yield f"  {side:4} {snapshot['snapshot']}, {made} UTC, {rows}, {snapshot['consistency']}"
    yield ""
    for kind in ("added", "removed", "changed", "unchanged"):
        yield f"{kind:9} {document[kind]:,}"
        for key in document.get(f"{kind}_examples", ()):
            yield f"    {_key(key)}"
    if document["to"]["consistency"] == "fuzzy":
        yield ""
        yield "The later snapshot is fuzzy: it keeps rows that it did not see, so more may have been removed."
    for column, changes in document["columns"].items():
        yield ""
        yield f"{column}: {plural(changes['rows'], 'row')}"
        for example in changes["examples"]:
            yield f"    {_key(example['key'])}: {_text(example['before'])} -> {_text(example['after'])}"
    if document["masked"]:
        yield ""
        yield "Phone numbers, custom fields, messages and filters are masked; --show-values shows them."


def _key(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
