"""The control routes under /_sandbox, which need no key and are no part of Trackly's API.

GET /_sandbox/state and /_sandbox/log; POST and DELETE /_sandbox/faults (a body of `{"fault": "503,times=2"}`);
POST and DELETE /_sandbox/webhooks set an endpoint (`Endpoint`, and `worst_day` or shares of `Mood`) or take it
away, GET shows how it goes, POST /_sandbox/webhooks/resume ends a pause; /_sandbox/opt-outs and /_sandbox/replies
let people answer.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pipelines.errors import UsageError
from pipelines.sandbox.account import Account
from pipelines.sandbox.faults.kinds import Faults, parse_fault
from pipelines.sandbox.messages.send import configure, opt_out, reply
from pipelines.sandbox.messages.webhooks import WORST_DAY, Endpoint, Mood, Webhooks
from pipelines.sandbox.replies import Reply, Row, not_found

PREFIX = "/_sandbox"

Given = dict[str, Any]


def control(account: Account, faults: Faults, method: str, path: str, body: bytes) -> Reply:
    """Answer a control route.

    Args:
        account: whose.
        faults: the faults in force.
        method: of HTTP.
        path: with the prefix.
        body: JSON, or nothing.
    """
    found = _ROUTES.get((method, path.removeprefix(PREFIX)))
    if found is None:
        return not_found()
    try:
        given = json.loads(body) if body else {}
        return 200, found(account, faults, given)
    except (UsageError, ValueError, TypeError, KeyError) as error:
        return 400, {"error": str(error)}


def state(account: Account) -> Row:
    """The whole account as JSON would have it, contacts newest first."""
    return {
        "lists": account.lists,
        "offers": account.offers,
        "creatives": account.creatives,
        "audiences": account.audiences,
        "schedules": account.schedules,
        "contacts": account.contacts(),
        "sends": account.sends,
        "clicks": account.clicks,
        "revenue": account.revenue,
    }


def _state(account: Account, _: Faults, __: Given) -> Row:
    return state(account)


def _log(account: Account, _: Faults, __: Given) -> Row:
    return {"log": [asdict(item) for item in account.log]}


def _add_fault(_: Account, faults: Faults, given: Given) -> Row:
    faults.active.append(parse_fault(str(given["fault"])))
    return {"faults": [asdict(item) for item in faults.active]}


def _clear_faults(_: Account, faults: Faults, __: Given) -> Row:
    faults.active.clear()
    faults.revoked = False
    return {"faults": []}


def _set_webhooks(account: Account, _: Faults, given: Given) -> Row:
    worst, mood = given.pop("worst_day", False), given.pop("mood", {})
    configure(account, Endpoint(**given), WORST_DAY if worst else Mood(**mood))
    return _webhooks(account.webhooks)


def _no_webhooks(account: Account, _: Faults, __: Given) -> Row:
    configure(account, None)
    return _webhooks(None)


def _resume(account: Account, _: Faults, __: Given) -> Row:
    if account.webhooks is not None:
        account.webhooks.resume()
    return _webhooks(account.webhooks)


def _show_webhooks(account: Account, _: Faults, __: Given) -> Row:
    return _webhooks(account.webhooks)


def _opt_out(account: Account, _: Faults, given: Given) -> Row:
    opt_out(account, **given)
    return _webhooks(account.webhooks)


def _reply(account: Account, _: Faults, given: Given) -> Row:
    reply(account, **given)
    return _webhooks(account.webhooks)


def _webhooks(webhooks: Webhooks | None) -> Row:
    if webhooks is None:
        return {"endpoint": None}
    return {
        "endpoint": asdict(webhooks.endpoint) | {"secret": ""},
        "attempts": len(webhooks.log),
        "acknowledged": len(webhooks.acknowledged()),
        "lost": len(webhooks.lost),
        "paused": webhooks.paused,
    }


_ROUTES: dict[tuple[str, str], Callable[[Account, Faults, Given], Row]] = {
    ("GET", "/state"): _state,
    ("GET", "/log"): _log,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/webhooks"): _show_webhooks,
    ("POST", "/webhooks"): _set_webhooks,
    ("DELETE", "/webhooks"): _no_webhooks,
    ("POST", "/webhooks/resume"): _resume,
    ("POST", "/opt-outs"): _opt_out,
    ("POST", "/replies"): _reply,
}
