"""Live messages: what is queued, how it ends, who opts out or replies; each of it an event for the webhook.

What does not belong here: how events leave (`webhooks`), and imported history (`imports`).
"""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.sandbox.account import Account, Row
from pipelines.sandbox.webhooks import WORST_DAY, Endpoint, Mood, Webhooks

Reply = tuple[int, Any]

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_MOST_MESSAGES = 1_000
_SECONDS_TO_DELIVERY = 4
_ENDS = (
    *(("delivered", "DELIVERED_TO_HANDSET"),) * 7, ("delivered", "DELIVERED_TO_OPERATOR"),
    ("undeliverable", "ABSENT_SUBSCRIBER"), ("rejected", "REJECTED_SPAM"),
)  # fmt: skip


def send(account: Account, message: Row, *, raw: bool = False) -> Reply:
    """POST /send and /send-raw: queue one message.

    Args:
        account: whose.
        message: the body of the request.
        raw: whether people who opted out may be sent to, with skip_contact_validation.
    """
    for name in ("to", "list_number", "body"):
        if not message.get(name):
            return 400, {"error": f"{name} is required", "code": f"missing_{name}"}
    if not _PHONE.fullmatch(str(message["to"])):
        return 400, {"error": "Invalid phone number", "code": "invalid_phone"}
    of_list = next((row for row in account.lists if row["phone_number"] == message["list_number"]), None)
    if of_list is None:
        return 400, {"error": "List not found", "code": "list_not_found"}
    number = len(account.messages)
    queued = {
        "message_id": f"{number:08x}", "to": message["to"], "list_number": message["list_number"], "at": _now(),
    }  # fmt: skip
    contact = account.contact((message["to"], of_list["id"]))
    stopped = (
        contact is not None and not contact["active"] and not (raw and message.get("skip_contact_validation"))
    )
    account.messages[queued["message_id"]] = {**queued, "stopped": stopped}
    if not stopped:
        if contact is not None:
            contact["send_count"] += 1
            contact["last_sent_at"] = f"{queued['at']:%Y-%m-%dT%H:%M:%S}"
        _deliver(account, queued, *_ENDS[number % len(_ENDS)])
    return 200, {"success": True, "message_id": queued["message_id"], "status": "queued"}


def send_bulk(account: Account, messages: Any, *, raw: bool = False) -> Reply:
    """POST /send/bulk and /send-raw/bulk: queue up to 1,000; the answer has no ids."""
    if not isinstance(messages, list) or not messages:
        return 400, {"error": "messages is required", "code": "missing_messages"}
    if len(messages) > _MOST_MESSAGES:
        return 413, {"error": "Too many messages", "code": "too_many_messages"}
    replies = [send(account, message, raw=raw) for message in messages]
    errors = [{"index": place, **reply} for place, (status, reply) in enumerate(replies) if status != 200]
    return 200, {"queued_count": len(replies) - len(errors), "error_count": len(errors), "errors": errors}


def opt_out(account: Account, phone: str, list_number: str, keyword: str = "STOP") -> None:
    """Somebody answers with a word of opting out: the contact becomes inactive, and an event reports it."""
    for row in account.contacts_of(phone):
        if row["list_number"] == list_number:
            row["active"] = False
    _notify(
        account,
        {
            "event": "unsubscribe", "phone_number": phone, "list_number": list_number, "keyword": keyword,
            "timestamp": _stamp(_now()),
        },
    )  # fmt: skip


def reply(account: Account, phone: str, list_number: str, text: str) -> None:
    """Somebody answers with anything else; the vendor does not document the event's fields."""
    event = {
        "event": "reply",
        "from": phone,
        "list_number": list_number,
        "text": text,
        "timestamp": _stamp(_now()),
    }
    _notify(account, event)


def posted(account: Account, path: str, body: bytes) -> Reply | None:
    """Answer a request to send; None where the path is another."""
    raw, bulk = path.startswith("/send-raw"), path.endswith("/bulk")
    if path not in ("/send", "/send/bulk", "/send-raw", "/send-raw/bulk"):
        return None
    try:
        given = json.loads(body)
    except ValueError:
        return 400, {"error": "Request body is not valid JSON", "code": "invalid_json"}
    if not isinstance(given, dict):
        return 400, {"error": "Request body is no object", "code": "invalid_json"}
    return send_bulk(account, given.get("messages"), raw=raw) if bulk else send(account, given, raw=raw)


def control(account: Account, method: str, path: str, body: bytes) -> Reply | None:
    """Answer a control route of webhooks; None where the path is another.

    POST and DELETE /_sandbox/webhooks set an endpoint (`Endpoint`, and `worst_day` or shares of `Mood`) or take it
    away, GET shows how it goes, POST /_sandbox/webhooks/resume ends a pause; /_sandbox/opt-outs and /_sandbox/replies
    let people answer.
    """
    given = json.loads(body) if body else {}
    match method, path:
        case "POST", "/_sandbox/webhooks":
            worst, mood = given.pop("worst_day", False), given.pop("mood", {})
            configure(account, Endpoint(**given), WORST_DAY if worst else Mood(**mood))
        case "DELETE", "/_sandbox/webhooks":
            configure(account, None)
        case "POST", "/_sandbox/webhooks/resume" if account.webhooks:
            account.webhooks.resume()
        case "POST", "/_sandbox/opt-outs":
            opt_out(account, **given)
        case "POST", "/_sandbox/replies":
            reply(account, **given)
        case "GET", "/_sandbox/webhooks":
            pass
        case _:
            return None
    return 200, _state(account.webhooks)


def configure(account: Account, endpoint: Endpoint | None, mood: Mood | None = None) -> None:
    """Set the endpoint that an account's events go to, or none."""
    if account.webhooks is not None:
        account.webhooks.close()
    account.webhooks = None if endpoint is None else Webhooks(endpoint, mood)


def _state(webhooks: Webhooks | None) -> Row:
    if webhooks is None:
        return {"endpoint": None}
    return {
        "endpoint": asdict(webhooks.endpoint) | {"secret": ""},
        "attempts": len(webhooks.log),
        "acknowledged": len(webhooks.acknowledged()),
        "lost": len(webhooks.lost),
        "paused": webhooks.paused,
    }


def _deliver(account: Account, message: Row, status: str, detail: str) -> None:
    """A message's way: pending, then its end."""
    about = {"event": "delivery", "message_id": message["message_id"], "to": message["to"]}
    about["list_number"] = message["list_number"]
    for after, (state, word) in (
        (0, ("pending", "SENT_TO_OPERATOR")),
        (_SECONDS_TO_DELIVERY, (status, detail)),
    ):
        report = {"status": state, "status_detail": word, "provider": "northwind"}
        report["timestamp"] = _stamp(message["at"] + timedelta(seconds=after))
        _notify(account, {**about, **report}, after)


def _notify(account: Account, event: Row, after: float = 0) -> None:
    account.events.append(event)
    if account.webhooks is not None:
        account.webhooks.send_event(event, after)


def _now() -> datetime:
    return datetime.now(UTC)


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"
