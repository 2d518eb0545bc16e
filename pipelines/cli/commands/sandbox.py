"""`trackly-sync sandbox`."""

import random
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out
from pipelines.errors import SettingsError, UsageError
from pipelines.text.humanize import plural

_SECRET = "sandbox"  # noqa: S105 - of a made-up account
"""The secret that signs events by default."""


@guarded
def sandbox(
    port: Annotated[
        int, typer.Option(help="Port on loopback; 0 for any that is free.", min=0, max=65_535)
    ] = 8765,
    contacts: Annotated[int, typer.Option(help="How many contacts.", min=0)] = 20_000,
    lists: Annotated[int, typer.Option(help="How many lists.", min=1)] = 5,
    offers: Annotated[int, typer.Option(help="How many offers.", min=1)] = 12,
    creatives: Annotated[int, typer.Option(help="How many creatives.", min=0)] = 12,
    audiences: Annotated[int, typer.Option(help="How many audiences.", min=0)] = 8,
    schedules: Annotated[int, typer.Option(help="How many schedules.", min=0)] = 12,
    seed: Annotated[int, typer.Option(help="The same seed makes the same account.")] = 7,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault, such as 503,path=/contacts,times=2; may be given several times."),
    ] = None,
    drift: Annotated[
        float,
        typer.Option(help="Share of requests before which a contact or a campaign changes.", min=0, max=1),
    ] = 0.0,
    webhook: Annotated[
        str | None, typer.Option(help="URL that gets the events of messages, such as http://127.0.0.1:8790/.")
    ] = None,
    webhook_secret: Annotated[str, typer.Option(help="Secret that signs the events.")] = _SECRET,
    worst_day: Annotated[
        bool,
        typer.Option(
            "--worst-day", help="Send events again with other details, late, forged, and mixed with junk."
        ),
    ] = False,
    history: Annotated[
        Path | None, typer.Option(help="Write a made-up history to push into this folder.")
    ] = None,
) -> int:
    """Serve a local, made-up Trackly account with the complete API, until Ctrl-C.

    The account has contacts, lists, offers, creatives, audiences and schedules in every status. It accepts every
    write of API v2 with the documented rules and error codes, and v1's deprecated calls. Nothing leaves this machine:
    messages are queued and never sent. Open its address in a browser to see all routes, fields and codes.
    docs/sandbox.md shows how to develop a client against the sandbox.

    Examples:
    - `trackly-sync sandbox --port 8765 --contacts 2000`: the base URL is then http://127.0.0.1:8765/api/v2.
    - `trackly-sync sandbox --creatives 300 --audiences 120 --schedules 150`: a large account.
    - `trackly-sync sandbox --drift 0.2`: an account that changes while it is read.
    - `trackly-sync sandbox --fault 429,times=3,seconds=1 --fault reset-after,path=/history,rate=0.1`
    - `trackly-sync sandbox --fault error,status=500,code=server_error,path=/offers`: any code, in the vendor's form.
    - `trackly-sync sandbox --fault gateway,method=POST,path=/history/revenue,seconds=1,commit=3`: a gateway gives
      up after 1 s with a page of its own, and the account does the work after 3 s.
    - `trackly-sync sandbox --fault latency,path=/history,seconds=0,jitter=3 --fault drip,path=revenue,value=1`
    - `trackly-sync sandbox --webhook http://127.0.0.1:8790/`: POST /send queues a message, and its delivery events
      go to `trackly-sync webhooks serve` with TRACKLY_WEBHOOK_SECRET=sandbox.

    A fault that does not exist lists the kinds. Settings of a fault: path, method, skip, times, rate, seconds,
    jitter, per_row, value, status, body (html, empty, json), code, commit. While the sandbox runs, POST and DELETE at
    /_sandbox/faults change the faults.

    The account's state is at /_sandbox/state, its log of requests at /_sandbox/log. POST /_sandbox/account suspends
    the account, removes products, billing or the domain of links, and sets options for details that the documentation
    leaves open.
    """
    from pipelines.sandbox import (  # noqa: PLC0415 - keeps help fast
        API_KEY,
        LEAST_SENDS,
        WORST_DAY,
        Endpoint,
        Faults,
        configure,
        drifting,
        listen,
        parse_fault,
        seed_account,
        seed_campaigns,
        serve_forever,
        write_history,
    )

    _check_events(webhook, is_chosen=worst_day or webhook_secret != _SECRET)
    faults = Faults([parse_fault(text) for text in fault or ()], random.Random(seed))  # noqa: S311 - no secrets
    account = seed_account(contacts, lists, offers, seed)
    seed_campaigns(account, creatives, audiences, schedules, seed)
    if history is not None:
        write_history(account, history, sends=max(contacts // 2, LEAST_SENDS), seed=seed)
    if webhook is not None:
        configure(account, Endpoint(webhook, webhook_secret), WORST_DAY if worst_day else None)
    if drift:
        account.before_request = drifting(drift, seed)
    try:
        listener, url = listen(port)
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used: {error.strerror}.", "Name another with --port."
        ) from None
    out.print(f"A local account of {plural(contacts, 'contact')}. In another terminal:\n")
    _show_settings(url, API_KEY, history)
    serve_forever(account, faults, listener)
    return 0  # pragma: no cover - uvicorn raises the signal that ends it once more


def _check_events(webhook: str | None, *, is_chosen: bool) -> None:
    """Check that options of events come with a receiver for the events.

    Raises:
        UsageError: there is no receiver.
    """
    if webhook is None and is_chosen:
        raise UsageError(
            "--worst-day and --webhook-secret are about the events of --webhook.", "Add --webhook."
        )


def show_exports(url: str, key: str) -> None:
    """Print the settings that commands in another terminal need to use an account of this machine."""
    out.print(f"export TRACKLY_BASE_URL={url}\nexport TRACKLY_API_KEY={key}", markup=False)
    if _needs_exception(url):
        out.print(
            "export NO_PROXY=127.0.0.0/8 no_proxy=127.0.0.0/8  # the proxy of this shell cannot reach it"
        )


def _show_settings(url: str, key: str, history: Path | None) -> None:
    """Print the lines to enter in another terminal."""
    show_exports(url, key)
    if history is not None:
        out.print(f"export TRACKLY_HISTORY_DIR={shlex.quote(str(history.absolute()))}", markup=False)
    out.print(
        f"\nAll routes, fields and codes: {url.removesuffix('/api/v2')}/\nCtrl-C stops it.", markup=False
    )
    sys.stdout.flush()  # the output may be a file whose reader waits for the key


def _needs_exception(url: str) -> bool:
    """Whether a proxy is set that would receive requests to the account."""
    from pipelines.trackly.transport.proxies import proxy_for  # noqa: PLC0415 - keeps help fast

    try:
        return proxy_for(url) is not None
    except SettingsError:  # a proxy that is not supported
        return True
