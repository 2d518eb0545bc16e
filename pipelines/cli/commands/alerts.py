"""`trackly-sync alerts`: shows current alerts and sends changes to the webhook; for cron."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.results import show_json
from pipelines.cli.terminal.width import at_words
from pipelines.errors import ServiceError, SettingsError
from pipelines.process.exit_codes import DONE, FAILED
from pipelines.settings import Settings, load_settings
from pipelines.text.humanize import age, plural
from pipelines.text.sanitize import plain

if TYPE_CHECKING:  # keeps help fast
    from pipelines.alerts.conditions import Condition


@guarded
def alerts(
    test: Annotated[bool, typer.Option("--test", help="Send a test message, and nothing else.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if there are alerts.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check all conditions, and send a message for each that began or ended since the last message.

    Pulls and pushes do the same check. Run this command from cron as well, for data that no run refreshes. It sends
    messages only if TRACKLY_ALERT_WEBHOOK is set, and shows the alerts otherwise. It ends with 0 also if there are
    alerts; --exit-code is for a check in CI.

    Examples:
    - `trackly-sync alerts --test`: does the webhook take messages?
    - `*/30 * * * * cd /srv/trackly && .venv/bin/trackly-sync alerts`
    """
    settings = load_settings()
    _check_way(settings)
    if test:
        _send_test(settings)
        if as_json:
            show_json({"sent": True})
        else:
            out.print("The webhook took the message.")
        return 0
    from pipelines.alerts.after_run import conditions  # noqa: PLC0415 - the same
    from pipelines.alerts.notify import notify, reported  # noqa: PLC0415 - keeps help fast
    from pipelines.push.audit.alerts import push_conditions  # noqa: PLC0415 - the same
    from pipelines.push.ledger.status import outcomes  # noqa: PLC0415 - the same

    found = conditions(settings, outcomes, push_conditions)
    notify(settings, found, patient=True)
    code = FAILED if exit_code and any(condition.firing for condition in found) else DONE
    if as_json:
        show_json([asdict(condition) for condition in found])
        return code
    show(found, reported(settings.data_dir).firing)
    if settings.alert_webhook is None:
        tell("Nothing was sent: TRACKLY_ALERT_WEBHOOK is not set.")
    return code


def _check_way(settings: Settings) -> None:
    """Check that a proxy on the way to the webhook can be used, before the conditions are checked.

    Raises:
        SettingsError: it cannot.
    """
    if settings.alert_webhook is not None:
        from pipelines.trackly.transport.route import route_to  # noqa: PLC0415 - only where alerts are sent

        route_to(settings.alert_webhook.get_secret_value())


def _send_test(settings: Settings) -> None:
    """Send a message that says it is a test.

    Raises:
        SettingsError: there is no webhook.
        ServiceError: the message did not arrive.
    """
    if settings.alert_webhook is None:
        raise SettingsError(
            "TRACKLY_ALERT_WEBHOOK is not set.",
            "Set it to the URL that takes alerts, such as one of Slack's incoming webhooks.",
        )
    from pipelines.alerts.notify import try_out  # noqa: PLC0415 - keeps help fast

    if failure := try_out(settings.alert_webhook.get_secret_value()):
        raise ServiceError(
            f"The message did not arrive: {failure}.", "See that TRACKLY_ALERT_WEBHOOK is right."
        )


def show(found: "Sequence[Condition]", reported: Mapping[str, str]) -> None:
    """Show each condition in short lines, which also suit a mail: the problem, its beginning, the remedy.

    Args:
        found: all conditions that were checked.
        reported: by name, when each condition began that the webhook was told of.
    """
    firing = [condition for condition in found if condition.firing]
    by_text: dict[tuple[str, str], list[Condition]] = {}
    for condition in firing:
        by_text.setdefault((condition.text, condition.remedy), []).append(condition)
    for (text, remedy), several in by_text.items():
        names = ", ".join(condition.name for condition in several)
        begun = [instant for one in several for instant in (one.since, reported.get(one.name))]
        out.print(at_words(Text.assemble((names, "bold red"), _since(*begun)), out.width))
        for line in (text, f"→ {remedy}"):
            out.print(at_words(Text(f"  {plain(line)}"), out.width))
    if not firing:
        out.print(f"No alerts ({plural(len(found), 'check')}).")


def _since(*instants: str | None) -> str:
    """The earliest of some instants, for a person; "" where none is known."""
    known = [datetime.fromisoformat(instant) for instant in instants if instant]
    return f"  since {min(known):%Y-%m-%d %H:%M} UTC ({age(min(known))})" if known else ""
