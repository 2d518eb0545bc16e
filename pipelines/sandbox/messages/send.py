"""Live messages: what is queued, how it ends, who opts out or replies; each of it an event for the webhook.

What does not belong here: how events leave (`webhooks`), and imported history (`imports`).
"""

import re
from datetime import datetime, timedelta
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.messages.webhooks import Endpoint, Mood, Webhooks
from pipelines.sandbox.replies import Refusal, Reply, Row, refused

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
    refusal = _problem(account, message)
    if refusal is not None:
        return refused(*refusal)
    number = len(account.messages)
    queued = {
        "message_id": f"{number:08x}", "to": message["to"], "list_number": message["list_number"],
        "at": account.clock(),
    }  # fmt: skip
    of_list = next(row for row in account.lists if row["phone_number"] == message["list_number"])
    contact = account.contact((message["to"], of_list["id"]))
    may_send = contact is None or contact["active"] or (raw and message.get("skip_contact_validation"))
    account.messages[queued["message_id"]] = {**queued, "stopped": not may_send}
    if may_send:
        if contact is not None:
            contact["send_count"] += 1
            contact["last_sent_at"] = f"{queued['at']:%Y-%m-%dT%H:%M:%S}"
        _deliver(account, queued, *_ENDS[number % len(_ENDS)])
    return 200, {"success": True, "message_id": queued["message_id"], "status": "queued"}


def _problem(account: Account, message: Row) -> Refusal | None:
    for name in ("to", "list_number", "body"):
        if not message.get(name):
            return f"missing_{name}", f"{name} is required"
    if not _PHONE.fullmatch(str(message["to"])):
        return "invalid_phone", "Invalid phone number"
    if all(row["phone_number"] != message["list_number"] for row in account.lists):
        return "list_not_found", "List not found"
    return None


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
            "timestamp": _stamp(account.clock()),
        },
    )  # fmt: skip


def reply(account: Account, phone: str, list_number: str, text: str) -> None:
    """Somebody answers with anything else; the vendor does not document the event's fields."""
    event = {
        "event": "reply",
        "from": phone,
        "list_number": list_number,
        "text": text,
        "timestamp": _stamp(account.clock()),
    }
    _notify(account, event)


def post_send(account: Account, call: Call) -> Reply:
    """POST /send."""
    return send(account, dict(call.body))


def post_send_bulk(account: Account, call: Call) -> Reply:
    """POST /send/bulk."""
    return send_bulk(account, call.body.get("messages"))


def post_send_raw(account: Account, call: Call) -> Reply:
    """POST /send-raw."""
    return send(account, dict(call.body), raw=True)


def post_send_raw_bulk(account: Account, call: Call) -> Reply:
    """POST /send-raw/bulk."""
    return send_bulk(account, call.body.get("messages"), raw=True)


def configure(account: Account, endpoint: Endpoint | None, mood: Mood | None = None) -> None:
    """Set the endpoint that an account's events go to, or none."""
    if account.webhooks is not None:
        account.webhooks.close()
    account.webhooks = None if endpoint is None else Webhooks(endpoint, mood)


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


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"
