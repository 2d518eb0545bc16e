"""`trackly-sync status`: needs no key and no network, and imports little, so that it starts fast."""

from collections.abc import Mapping
from typing import Any

from pipelines.cli.commands.runs import show_runs
from pipelines.cli.commands.webhooks import show_webhooks, webhooks_json
from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.attention import (
    alarms_json,
    attention,
    behind_notes,
    found_twice_json,
    ledger_notes,
    pulled_otherwise,
    still_twice_notes,
)
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import (
    show_json,
    show_notes,
    show_pulled,
    show_pushed,
    status_json,
)
from pipelines.errors import StorageError
from pipelines.push.outcomes import Outcomes
from pipelines.run_records.summary import latest_runs
from pipelines.settings import Settings, load_settings
from pipelines.text.humanize import age
from pipelines.warehouse.rolled_back import RolledBack, rolled_back
from schemas.own_tables.sync import Manifest

_RUNS_SHOWN = 3


@guarded
def status(as_json: AsJson = False) -> int:
    """Show the contents of the warehouse, the outcomes of pushes, and problems that need attention.

    `--json` is for programs: {"pull": {dataset: ...}, "push": {dataset: ...}}. A dataset that was never pulled is
    null. Parts that cannot be read are null too: every dataset of "pull" if the warehouse cannot be read, every
    dataset of "push" if the ledger cannot be read (the exit code is then 1, also without --json), and "webhooks" if
    the queue of events cannot be read.

    Other keys are there only if needed. "needs_attention": one of these parts cannot be read, revenue is perhaps
    there twice (or still there twice after a person has acknowledged it), rows in doubt are not in the current input,
    the ledger was lost, the warehouse is behind the ledger, a published dataset is no longer served, or revenue comes
    from another source than before. "alarms": revenue that turned up late. "perhaps_twice": revenue that the
    last reconcile found to be perhaps there twice. "in_doubt_outside_input": the number of rows in doubt that "push"
    does not count. "webhooks": figures of received events. "rolled_back": the published and the newest snapshot of a
    dataset that was rolled back.

    Examples:
    - `trackly-sync status`
    - `trackly-sync status --json`: for a program, or a monitor.
    """
    settings = load_settings()
    pulled, damaged = _published(settings)
    pushed, unreadable = _counted(settings)
    if as_json:
        show_json(_document(settings, pulled, pushed, is_damaged=bool(damaged)))
    else:
        _show(settings, pulled, pushed, is_damaged=bool(damaged))
    if error := damaged or unreadable:
        raise error
    return 0


def _document(
    settings: Settings, pulled: Mapping[str, Manifest], pushed: Mapping[str, Outcomes], *, is_damaged: bool
) -> dict[str, Any]:
    """Return the document for programs; without outcomes of pushes, the parts from the ledger are left out.

    If the warehouse is damaged, it is not known whether the ledger was lost.
    """
    from pipelines.push.ledger.status import differing, doubt_outside  # noqa: PLC0415 - keeps help fast

    webhooks = webhooks_json(settings)
    is_readable = pushed and not is_damaged and webhooks.get("webhooks", {}) is not None
    noted: dict[str, Any] = {}
    differs: Mapping[str, int] = {}
    if pushed:
        found = {
            "alarms": alarms_json(settings),
            "perhaps_twice": found_twice_json(settings),
            "in_doubt_outside_input": doubt_outside(settings),
        }
        noted, differs = {name: what for name, what in found.items() if what}, differing(settings)
    is_urgent = not is_readable or noted or _is_urgent(settings, pulled)
    more: dict[str, Any] = {"needs_attention": attention(settings, pulled, pushed)} if is_urgent else {}
    more |= noted
    more |= _rolled_back_json(rolled_back(settings, pulled))
    return status_json(pulled, pushed, differs) | webhooks | more


def _is_urgent(settings: Settings, pulled: Mapping[str, Manifest]) -> bool:
    found = ledger_notes(settings) or behind_notes(settings)
    return bool(found or pulled_otherwise(settings, pulled) or still_twice_notes(settings))


def _show(
    settings: Settings, pulled: Mapping[str, Manifest], pushed: Mapping[str, Outcomes], *, is_damaged: bool
) -> None:
    """Show the status for people; parts that cannot be read are left out."""
    if is_damaged:
        out.print(f"{settings.warehouse}: cannot be read\n", markup=False)
    else:
        out.print(f"{_headline(settings, pulled)}\n", markup=False)
        show_pulled(pulled)
        out.print()
    if pushed:
        show_pushed(pushed)
    show_webhooks(settings)
    last, _ = latest_runs(settings.data_dir, _RUNS_SHOWN)
    if last:
        out.print()
        show_runs(last)
    notes = attention(settings, pulled, pushed)
    show_notes("Needs attention", notes)
    if not notes:
        out.print("\n[green]Nothing needs attention.[/]")


def _published(settings: Settings) -> tuple[Mapping[str, Manifest], StorageError | None]:
    """Return the manifests of published datasets, or the error if the warehouse cannot be read.

    The rest is shown anyway.
    """
    from pipelines.warehouse.published import published  # noqa: PLC0415 - keeps help fast

    try:
        return published(settings.warehouse), None
    except StorageError as error:
        return {}, error


def _counted(settings: Settings) -> tuple[Mapping[str, Outcomes], StorageError | None]:
    """Return the outcomes of pushes, or the error if the ledger cannot be read; the rest is shown anyway."""
    from pipelines.push.ledger.status import outcomes  # noqa: PLC0415 - keeps help fast

    try:
        return outcomes(settings), None
    except StorageError as error:
        return {}, error


def _rolled_back_json(found: list[RolledBack]) -> dict[str, Any]:
    """Return, by dataset, the snapshot that a rollback published and the newest on disk; empty without a rollback."""
    by_dataset = {
        one.published.dataset: {
            "snapshot": one.published.snapshot,
            "newest": one.newest.snapshot,
            "newest_finished_at": one.newest.finished_at,
        }
        for one in found
    }
    return {"rolled_back": by_dataset} if by_dataset else {}


def _headline(settings: Settings, pulled: Mapping[str, Manifest]) -> str:
    if not pulled:
        return f"{settings.warehouse}: nothing published yet"
    size = settings.warehouse.stat().st_size / 1e6
    newest = max(manifest.finished_at for manifest in pulled.values())
    return f"{settings.warehouse}: {size:,.1f} MB, published {age(newest)} ago"
