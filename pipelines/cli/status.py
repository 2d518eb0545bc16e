"""`trackly-sync status`: no key, no network, and no heavy imports, so that it answers at once."""

from pipelines.cli.arguments import AsJson
from pipelines.cli.guarded import guarded
from pipelines.cli.show import (
    pull_notes,
    push_notes,
    show_json,
    show_notes,
    show_pulled,
    show_pushed,
    status_json,
)
from pipelines.cli.terminal import out
from pipelines.settings import load_settings


@guarded
def status(as_json: AsJson = False) -> int:
    """What is in the warehouse, what was pushed, and what needs attention.

    `--json` is for programs: {"pull": {dataset: ...}, "push": {dataset: ...}}; a dataset never pulled is null.
    """
    settings = load_settings()
    from pipelines.push.status import outcomes  # noqa: PLC0415 - help answers at once
    from pipelines.warehouse.published import published  # noqa: PLC0415 - the same
    from pipelines.watched import conditions  # noqa: PLC0415 - the same

    pulled, pushed = published(settings.warehouse), outcomes(settings)
    if as_json:
        show_json(status_json(pulled, pushed))
        return 0
    out.print(f"Warehouse: {settings.warehouse}\n", markup=False)
    show_pulled(pulled)
    out.print()
    show_pushed(pushed)
    alerting = [
        f"{condition.text}. {condition.remedy}"
        for condition in conditions(settings, lambda _: pushed)
        if condition.firing and condition.name.startswith(("stale:", "failed:", "missing:"))
    ]
    show_notes("Needs attention", [*alerting, *pull_notes(pulled), *push_notes(pushed)])
    return 0
