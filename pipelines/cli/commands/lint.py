"""`trackly-sync lint`: problems to fix before the next send, from the mart `campaign_lint`.

What does not belong here: what is looked for (`marts/campaign_lint.sql`).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.cli.terminal.results import show_json
from pipelines.errors import NothingYetError
from pipelines.process.exit_codes import DONE, LEFT_OUT
from pipelines.settings import Settings, load_settings
from pipelines.text.humanize import plural
from pipelines.text.sanitize import for_terminal
from schemas.marts.campaigns import SEVERITIES

_NEEDED = ("creatives", "schedules", "audiences", "offers", "lists")
_NOTICE = "notice"
_STYLES = {"error": "bold red", "warning": "yellow", _NOTICE: "dim"}
_GROUP = ("severity", "kind", "remedy")
_QUERY = (
    "FROM marts.campaign_lint "
    "ORDER BY list_position(?, severity), kind, remedy, subject, subject_name, subject_id, about"
)


@guarded
def lint(as_json: AsJson = False) -> int:
    """Check campaigns before a send: paused, archived or missing parts, overlapping sends, quiet hours, segments.

    The check covers active creatives and schedules that are on, as of the last pull. Exit code 3 if there are errors
    or warnings, and 0 otherwise. Rows in quarantine are a warning. Notices, about facts that are not known or were
    not pulled, do not count.

    Examples:
    - `trackly-sync lint`
    - `trackly-sync pull && trackly-sync lint`
    """
    settings = load_settings()
    pulled = _pulled(settings)
    findings = _findings(settings)
    counts = Counter(one["severity"] for one in findings)
    if as_json:
        numbers = {f"{severity}s": counts[severity] for severity in SEVERITIES}
        show_json({**numbers, "pulled_at": pulled, "findings": findings})
    else:
        _show(findings, counts)
    return LEFT_OUT if any(counts[severity] for severity in SEVERITIES if severity != _NOTICE) else DONE


def _pulled(settings: Settings) -> dict[str, str]:
    """Return when each dataset was pulled that the findings are based on.

    Raises:
        NothingYetError: none of them was pulled, so an empty result would say nothing.
        StorageError: there is no warehouse, or it cannot be read.
    """
    from pipelines.warehouse.published import published  # noqa: PLC0415 - keeps help fast

    manifests = published(settings.warehouse)
    if not any(name in manifests for name in _NEEDED):
        raise NothingYetError(
            f"Nothing can be checked yet: {', '.join(_NEEDED)} were not pulled.", "Run: trackly-sync pull"
        )
    return {name: manifests[name].finished_at for name in (*_NEEDED, "contacts") if name in manifests}


def _findings(settings: Settings) -> list[dict[str, Any]]:
    from pipelines.warehouse.swap import dicts, reading  # noqa: PLC0415 - keeps help fast

    with reading(settings.warehouse) as connection:
        return dicts(connection, _QUERY, list(SEVERITIES))


def _show(findings: Sequence[dict[str, Any]], counts: Counter[str]) -> None:
    if not findings:
        out.print("Nothing found.")
        return
    for (severity, kind, remedy), some in groupby(findings, key=lambda one: [one[name] for name in _GROUP]):
        out.print(f"[{_STYLES[severity]}]{severity}[/] [bold]{kind}[/]")
        for one in some:
            out.print(f"  {_line(one)}")
        out.print(f"  → {for_terminal(remedy)}")
    out.print(
        ", ".join(plural(counts[severity], severity) for severity in SEVERITIES if counts[severity]) + "."
    )


def _line(one: dict[str, Any]) -> str:
    about = [
        one["about_name"] or one["about"],
        one["people"] is not None and plural(one["people"], "person", "people"),
    ]
    more = ", ".join(str(part) for part in about if part)
    name = one["subject_name"] or one["subject_id"]
    text = f"{one['subject'].removesuffix('s')} {name}: {one['detail']}"
    return for_terminal(f"{text} ({more})" if more else text)
