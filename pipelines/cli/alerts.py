"""`trackly-sync alerts`: what alerts now, told to the webhook where that has changed; for a clock to call."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipelines.cli.arguments import AsJson
from pipelines.cli.guarded import guarded
from pipelines.cli.show import show_json
from pipelines.cli.terminal import out, tell
from pipelines.errors import ServiceError, SettingsError
from pipelines.settings import load_settings
from pipelines.text import for_terminal


@guarded
def alerts(
    test: Annotated[bool, typer.Option("--test", help="Send a test message, and nothing else.")] = False,
    as_json: AsJson = False,
) -> int:
    """Judge every alert now, and send what has begun or ceased since it was last told.

    Pulls and pushes do this by themselves. Let cron or the like call it too: data that no run refreshes goes stale
    without anybody noticing. Needs TRACKLY_ALERT_WEBHOOK to send; without it, it only shows.

    Examples:
    - `trackly-sync alerts --test`: does the webhook take messages?
    - `*/30 * * * * cd /srv/trackly && .venv/bin/trackly-sync alerts`
    """
    settings = load_settings()
    from pipelines.alerts.notify import notify, try_out  # noqa: PLC0415 - help answers at once
    from pipelines.push.audit.alarms import of_alarms  # noqa: PLC0415 - the same
    from pipelines.push.ledger.status import outcomes  # noqa: PLC0415 - the same
    from pipelines.trackly.route import route_to  # noqa: PLC0415 - the same
    from pipelines.watched import conditions  # noqa: PLC0415 - the same

    if (
        settings.alert_webhook is not None
    ):  # a proxy that cannot be used is reported before anything is judged
        route_to(settings.alert_webhook.get_secret_value())
    if test:
        if settings.alert_webhook is None:
            raise SettingsError(
                "TRACKLY_ALERT_WEBHOOK is not set.",
                "Set it to the URL that takes alerts, such as one of Slack's incoming webhooks.",
            )
        failure = try_out(settings.alert_webhook.get_secret_value())
        if failure:
            raise ServiceError(
                f"The message did not arrive: {failure}.", "See that TRACKLY_ALERT_WEBHOOK is right."
            )
        out.print("The webhook took the message.")
        return 0
    found = conditions(settings, outcomes, of_alarms)
    notify(settings, found, patient=True)
    firing = [condition for condition in found if condition.firing]
    if as_json:
        show_json([asdict(condition) for condition in found])
        return 0
    for condition in firing:
        out.print(f"[bold red]{condition.name}[/]  {for_terminal(condition.text)}")
        out.print(f"  → {for_terminal(condition.remedy)}")
    if not firing:
        out.print(f"All is well: {len(found)} conditions were judged.")
    if settings.alert_webhook is None:
        tell("Nothing was sent: TRACKLY_ALERT_WEBHOOK is not set.")
    return 0
