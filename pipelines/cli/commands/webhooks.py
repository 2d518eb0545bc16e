"""`trackly-sync webhooks`: receives Trackly's events, and helps to set up the receiver."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.help import Command, Group
from pipelines.cli.terminal.results import show_json
from pipelines.errors import DataError, SettingsError, StorageError, UsageError
from pipelines.settings import Settings, load_settings
from pipelines.settings.misspelt import refuse_misspelt
from pipelines.text.humanize import age, plural
from pipelines.text.sanitize import for_terminal

if TYPE_CHECKING:  # keeps help fast
    from pipelines.webhooks.captured_request import Captured
    from pipelines.webhooks.signature import Found

app = typer.Typer(
    name="webhooks",
    help="Receive Trackly's events (deliveries, opt-outs, replies) into webhook_events, and lose none.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("serve", cls=Command)
@guarded
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than loopback needs a secret.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any that is free.", min=0, max=65_535)] = 8790,
) -> int:
    """Receive events until SIGTERM or Ctrl-C; they are in the warehouse after about a minute.

    The receiver accepts POST to any path, and GET /health. It answers an event with 2xx only after the event is on
    the disk. If an event cannot be stored, the answer is 503, and Trackly sends the event again. Put a proxy with TLS
    in front of the receiver, and set TRACKLY_WEBHOOK_SECRET: docs/webhooks.md says how.

    Examples:
    - `trackly-sync webhooks serve`: on loopback, for a proxy on this machine.
    - `trackly-sync webhooks serve --host 0.0.0.0 --port 8790`: for a proxy on another.
    """
    from pipelines.warehouse.webhook_events import publish_events  # noqa: PLC0415 - keeps help fast
    from pipelines.webhooks import serve as server  # noqa: PLC0415 - the same

    settings = load_settings()
    refuse_misspelt()
    listener = server.listen(settings, host, port)
    place = listener.getsockname()
    out.print(
        f"Receiving events at http://{host}:{place[1]}/ (health: /health). Ctrl-C stops it.", markup=False
    )
    if not settings.webhook_secrets:
        tell(
            "TRACKLY_WEBHOOK_SECRET is not set: signatures are not verified, so everybody on this machine can post."
        )
    server.serve(settings, listener, lambda: publish_events(settings))
    return 0


@app.command("check", cls=Command)
@guarded
def check(
    file: Annotated[Path, typer.Argument(help="A captured request: as text with its headers, or as JSON.")],
    as_json: AsJson = False,
) -> int:
    """Show the form of a captured request's signature, and the settings for it.

    Exit code 0 if the signature has a form that the receiver can verify, otherwise 1.

    Examples:
    - `trackly-sync webhooks check request.txt`
    - `trackly-sync webhooks check request.har --json`: for a script that sets it up.
    """
    from pipelines.webhooks.captured_request import read_captured  # noqa: PLC0415 - keeps help fast
    from pipelines.webhooks.signature import HEADER, Form  # noqa: PLC0415 - the same

    settings = load_settings()
    if not settings.webhook_secrets:
        raise SettingsError(
            "TRACKLY_WEBHOOK_SECRET is not set.", "Set it to the secret of Trackly's Settings > Webhooks."
        )
    captured = read_captured(file)
    if not captured.signature:
        raise UsageError(f"{file} has no header {HEADER}.", "Capture the request with its headers.")
    found = _form_of(captured, settings.webhook_secrets)
    if found is None:
        raise DataError(
            "The signature is not HMAC-SHA256 of this body in any form that is known, with the secret that is set.",
            "See that TRACKLY_WEBHOOK_SECRET is the endpoint's secret, and that the body was captured byte by byte.",
        )
    is_set = found.form == Form.of(settings)
    if as_json:
        form = asdict(found.form) | {"signed": found.signed, "secret_as": found.key}
        show_json(form | {"supported": found.supported, "is_set": is_set})
    else:
        _show_form(found)
    if not found.supported:
        raise DataError(
            f"It was made with the secret decoded as {found.key} (text: as it is), over {_signed(found.signed)}, "
            "which the receiver cannot verify.",
            "Please report this form.",
        )
    if not as_json:
        needed = f"TRACKLY_WEBHOOK_ENCODING={found.form.encoding} TRACKLY_WEBHOOK_PREFIX={found.form.prefix}"
        out.print("That is what is set." if is_set else f"Set: {needed}", markup=False)
    return 0


def _show_form(found: "Found") -> None:
    prefix = f" with {for_terminal(found.form.prefix)} in front" if found.form.prefix else ""
    out.print(f"The signature is HMAC-SHA256 in {found.form.encoding}{prefix}, over {_signed(found.signed)}.")


def webhooks_json(settings: Settings) -> dict[str, Any]:
    """Return the receiver's figures for programs.

    Empty if there never was a receiver, null if they cannot be read.
    """
    from pipelines.warehouse.published import unread_events  # noqa: PLC0415 - keeps help fast
    from pipelines.webhooks.queue.state import received  # noqa: PLC0415 - the same

    try:
        found = received(settings)
        unread = unread_events(settings.warehouse)[0] if found else 0
    except StorageError:  # the condition `damaged:webhooks` reports it
        return {"webhooks": None}
    if found is None:
        return {}
    times = {
        name: value and value.isoformat()
        for name, value in (("since", found.since), ("beat_at", found.beat_at))
    }
    return {"webhooks": asdict(found) | times | {"unread": unread}}


def show_webhooks(settings: Settings) -> None:
    """Show a line about received events, if there are any; a queue that cannot be read is shown as an alert."""
    if found := webhooks_json(settings).get("webhooks"):
        last = f"last {age(found['since'])} ago" if found["bodies"] else "none yet"
        refused = found["unsigned"] + found["wrongly_signed"]
        unread = f"; {found['unread']:,} signed, but not readable" if found["unread"] else ""
        state = "receiver serving" if found["serving"] else "receiver stopped"
        out.print(
            f"\nwebhook events: {found['bodies']:,} received, {last}; {refused:,} refused{unread}; {state}"
        )


def _form_of(captured: "Captured", secrets: Sequence[bytes]) -> "Found | None":
    """Return the form of its signature; a time in another header, or in front of the signature, may be signed too."""
    from pipelines.webhooks.signature import forms_of  # noqa: PLC0415 - keeps help fast

    stamps = [v for name, v in captured.headers.items() if "timestamp" in name or name.endswith("-time")]
    stamps += re.findall(r"(?<!\w)\d{10,13}(?!\w)", captured.signature)
    tried = (forms_of(body, captured.signature, secrets, stamps) for body in captured.bodies)
    return next((found for found in tried if found is not None), None)


def _signed(what: str) -> str:
    return "the body" if what == "body" else "a time and the body"


@app.command("replay", cls=Command)
@guarded
def replay(as_json: AsJson = False) -> int:
    """Read every stored body again, and publish the events.

    After an upgrade that reads bodies differently, the next publish does this without the command.

    Examples:
    - `trackly-sync webhooks replay`
    """
    from pipelines.runs.recording import recorded, this_run  # noqa: PLC0415 - keeps help fast
    from pipelines.warehouse.webhook_events import publish_events  # noqa: PLC0415 - the same

    settings = load_settings()
    with recorded(settings.data_dir, this_run(), "replay webhook_events") as record:
        record.rows = publish_events(settings, again=True)
    if as_json:
        show_json({"rows": record.rows})
        return 0
    out.print(
        "No event was received yet."
        if record.rows is None
        else f"{plural(record.rows, 'event was', 'events were')} read again."
    )
    return 0
