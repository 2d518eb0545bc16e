"""The control routes under /_sandbox, which need no key and are no part of Trackly's API.

GET /_sandbox/state and /_sandbox/log; POST /_sandbox/account changes what is no resource (`suspended`, `billing`,
`products`, `domain`, `options`, and `lists` by id); POST and DELETE /_sandbox/faults (a body of
`{"fault": "503,times=2"}`); POST and DELETE /_sandbox/webhooks set an endpoint (`Endpoint`, and `worst_day` or shares
of `Mood`) or take it away, GET shows how it goes, POST /_sandbox/webhooks/resume ends a pause; /_sandbox/opt-outs and
/_sandbox/replies let people answer.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from pipelines.errors import UsageError
from pipelines.sandbox.account import PRODUCTS, Account, Options
from pipelines.sandbox.contacts.validation import BILLING_CODES
from pipelines.sandbox.faults.kinds import Faults, parse_fault
from pipelines.sandbox.messages.send import configure, opt_out, reply
from pipelines.sandbox.replies import Refusal, Reply, Row, by_id, not_found, refused
from pipelines.sandbox.requests.write_rules import (
    FLAG,
    NAMES,
    PHONE,
    TEXT,
    URL,
    WHOLE,
    Check,
    Fields,
    between,
    one_of,
    or_null,
    problem_of_values,
)
from pipelines.sandbox.serving.http_parts import parsed
from pipelines.sandbox.webhooks import WORST_DAY, Endpoint, Mood, Webhooks

PREFIX = "/_sandbox"

Given = dict[str, Any]


def control(account: Account, faults: Faults, method: str, path: str, body: bytes) -> Reply:
    """Answer a control route.

    Args:
        account: the account.
        faults: the current faults.
        method: of HTTP.
        path: with the prefix.
        body: JSON, or nothing.
    """
    found = _ROUTES.get((method, path.removeprefix(PREFIX)))
    if found is None:
        return not_found()
    given, problem = parsed(body)
    if problem is None:
        problem = _problem(given, _TAKES.get((method, path.removeprefix(PREFIX)), {}))
    if problem is not None:
        return refused(*problem)
    try:
        return 200, found(account, faults, given)
    except (UsageError, ValueError) as error:
        return 400, {"error": str(error)}


def _problem(given: object, takes: Fields) -> Refusal | None:
    """Return the refusal of a body that is not an object of these fields, if any."""
    if not isinstance(given, dict):
        return "invalid_body", "The body is a JSON object"
    if unknown := given.keys() - takes.keys():
        return "unknown_field", f"No such field: {', '.join(sorted(unknown))}"
    return problem_of_values(takes, given)


def state(account: Account) -> Row:
    """Return the complete account as JSON values, contacts newest first."""
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
        "messages": account.messages,
        "links": account.links,
    }


def _state(account: Account, _: Faults, __: Given) -> Row:
    return state(account)


def _log(account: Account, _: Faults, __: Given) -> Row:
    return {"log": [asdict(item) for item in account.log]}


def _change_account(account: Account, _: Faults, given: Given) -> Row:
    """Change the given parts of the account; the answer is its new state."""
    options = replace(account.options, **_fitting(account.options, given.get("options", {})))
    billing = _one_of(given.get("billing", account.billing) or "", ("", *BILLING_CODES))
    products = {_one_of(one, PRODUCTS) for one in given.get("products", account.products)}
    changed = [(_list_of(account, number, item), item) for number, item in given.get("lists", {}).items()]
    account.options, account.billing, account.products = options, billing, products
    account.suspended = given.get("suspended", account.suspended)
    account.domain = given.get("domain", account.domain)
    for row, changes in changed:
        row.update(changes)
    shown = {name: getattr(account, name) for name in ("suspended", "billing", "domain")}
    return {**shown, "products": sorted(account.products), "options": asdict(account.options)}


def _list_of(account: Account, number: str, changes: object) -> Row:
    """Return the list for changes, if it exists and the changes are valid."""
    row = by_id(account.lists, number)
    if row is None or _problem(changes, _OF_A_LIST) is not None:
        raise ValueError("lists has the ids of lists, each with status or list_type")
    return row


def _fitting(options: Options, given: Given) -> Given:
    """Return the options whose values have the right type; a JSON array becomes a tuple."""
    fitting = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, value in fitting.items():
        if not hasattr(options, name):
            raise ValueError(f"There is no option {name}")
        kind = type(getattr(options, name))
        if not isinstance(value, (kind, int) if kind is float else kind) or (kind is int and value is True):
            raise ValueError(f"The option {name} is of type {kind.__name__}")
    return fitting


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"One of {', '.join(filter(None, allowed))}")
    return str(value)


def _add_fault(_: Account, faults: Faults, given: Given) -> Row:
    faults.active.append(parse_fault(given.get("fault", "")))
    return {"faults": [asdict(item) for item in faults.active]}


def _clear_faults(_: Account, faults: Faults, __: Given) -> Row:
    faults.active.clear()
    faults.revoked = False
    return {"faults": []}


def _set_webhooks(account: Account, _: Faults, given: Given) -> Row:
    worst, mood = given.pop("worst_day", False), given.pop("mood", {})
    if "url" not in given:
        raise ValueError("url is required")
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
    _required(given, "phone", "list_number")
    opt_out(account, **given)
    return _webhooks(account.webhooks)


def _reply(account: Account, _: Faults, given: Given) -> Row:
    _required(given, "phone", "list_number", "text")
    reply(account, **given)
    return _webhooks(account.webhooks)


def _required(given: Given, *names: str) -> None:
    if lacking := [name for name in names if name not in given]:
        raise ValueError(f"{', '.join(lacking)} is required")


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
    ("POST", "/account"): _change_account,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/webhooks"): _show_webhooks,
    ("POST", "/webhooks"): _set_webhooks,
    ("DELETE", "/webhooks"): _no_webhooks,
    ("POST", "/webhooks/resume"): _resume,
    ("POST", "/opt-outs"): _opt_out,
    ("POST", "/replies"): _reply,
}

_OBJECT = Check("an object", lambda value: isinstance(value, dict), {"type": "object"})
_STATUS = one_of("active", "paused", "suspended", "deleted")
_OF_A_LIST: Fields = {"status": _STATUS, "list_type": TEXT}
_MOOD: Fields = dict.fromkeys(("repeated", "changed", "late", "forged", "junk"), between(0, 1))
_TAKES: dict[tuple[str, str], Fields] = {
    ("POST", "/account"): {
        "suspended": FLAG, "billing": or_null(TEXT), "products": NAMES, "domain": or_null(TEXT),
        "options": _OBJECT, "lists": _OBJECT,
    },
    ("POST", "/faults"): {"fault": TEXT},
    ("POST", "/webhooks"): {
        "url": URL, "secret": TEXT, "encoding": one_of("hex", "base64"), "prefix": TEXT,
        "scale": between(0, 1_000_000), "pause_after": WHOLE, "worst_day": FLAG,
        "mood": Check(
            f"an object of shares: {', '.join(_MOOD)}", lambda value: _problem(value, _MOOD) is None,
            {"type": "object"},
        ),
    },
    ("POST", "/opt-outs"): {"phone": PHONE, "list_number": PHONE, "keyword": TEXT},
    ("POST", "/replies"): {"phone": PHONE, "list_number": PHONE, "text": TEXT},
}  # fmt: skip
"""Fields of control routes' bodies."""
