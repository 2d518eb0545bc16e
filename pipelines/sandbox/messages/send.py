"""Live messages: queueing, results, opt-outs and replies, each with an event for the webhook.

What does not belong here: sending events (`webhooks`), and imported history (`imports`).
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.links import SHORTENED_LENGTH, new_link
from pipelines.sandbox.replies import MAX_NAMED_ERRORS, MAX_RECORDS, Refusal, Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import is_phone, is_text, problem_of_list, rows_of
from pipelines.sandbox.requests.write_rules import MESSAGE, problem_of_values
from pipelines.sandbox.webhooks import Endpoint, Mood, Webhooks

SKIPS = ("skip_duplicate_check", "skip_rate_limit", "skip_contact_validation", "skip_journey_check")
"""Checks that raw messages may skip. In the sandbox no list has a limit, and no journey holds a message back."""
OWN_CARRIER = "own"
"""The list_type of lists with their own carrier, which cannot send here."""

_URL = re.compile(r"https?://\S+")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_SECONDS_TO_DELIVERY = 4
_ENDS = (
    *(("delivered", "DELIVERED_TO_HANDSET"),) * 7, ("delivered", "DELIVERED_TO_OPERATOR"),
    ("undeliverable", "ABSENT_SUBSCRIBER"), ("rejected", "REJECTED_SPAM"),
)  # fmt: skip


def send(account: Account, message: Row, *, raw: bool = False) -> Reply:
    """POST /send and /send-raw: queue one message.

    Args:
        account: the account.
        message: the body of the request.
        raw: whether the message may skip checks.
    """
    refusal = _problem(account, message)
    if refusal is not None:
        return refused(*refusal)
    skips = {name for name in SKIPS if raw and message.get(name) is True}
    queued = queue(account, message, skips)
    return account.options.created_status, {
        "success": True, "message_id": queued["message_id"], "status": "queued"
    }  # fmt: skip


def queue(account: Account, message: Row, skips: Collection[str] = ()) -> Row:
    """Queue a valid message. It may be held back without telling the caller.

    Args:
        account: the account.
        message: `to`, `list_number`, `body`; optional contact_data, wrap_links, metadata.
        skips: which of SKIPS are skipped.
    """
    number, of_list, now = len(account.messages), account.list_of(message["list_number"]), account.clock()
    contact = account.contact((message["to"], of_list["id"])) if of_list is not None else None
    queued: Row = {
        "message_id": f"{number:08x}", "to": message["to"], "list_number": message["list_number"],
        "at": _stamp(now), "body": _rendered(account, message, f"{number:08x}"), "metadata": message.get("metadata"),
    }  # fmt: skip
    gone = contact is not None and not contact["active"] and "skip_contact_validation" not in skips
    stopped = gone or ("skip_duplicate_check" not in skips and _is_repeat(account, queued))
    account.messages[queued["message_id"]] = {**queued, "stopped": stopped}
    if not stopped:
        if contact is not None:
            contact["send_count"] += 1
            contact["last_sent_at"] = f"{now:%Y-%m-%dT%H:%M:%S}"
        _deliver(account, queued, now, _ENDS[number % len(_ENDS)])
    return queued


def send_bulk(account: Account, messages: Any, *, raw: bool = False) -> Reply:
    """POST /send/bulk and /send-raw/bulk: queue up to 1,000; the answer has no ids.

    Args:
        account: that sends.
        messages: of the request, of any shape.
        raw: whether the path is /send-raw/bulk.
    """
    rows = rows_of(messages)
    if not rows:
        return refused("missing_messages", "messages is required")
    if len(rows) > MAX_RECORDS:
        return refused("too_many_messages", f"At most {MAX_RECORDS} messages per call", 413)
    replies = [send(account, message, raw=raw)[1] for message in rows]
    errors = [{"index": place, **reply} for place, reply in enumerate(replies) if "code" in reply]
    answer = {"queued_count": len(replies) - len(errors), "error_count": len(errors)}
    return (account.options.partial_status if errors else 200), {
        **answer,
        "errors": errors[:MAX_NAMED_ERRORS],
    }


def _problem(account: Account, message: Row) -> Refusal | None:
    for name in ("to", "list_number", "body"):
        if not is_text(message.get(name)):
            return f"missing_{name}", f"{name} is required"
    if not is_phone(message["to"]):
        return "invalid_phone", "to is not a valid E.164 number"
    refusal = problem_of_list(account, message)
    of_list = account.list_of(message["list_number"])
    if of_list is not None and of_list["list_type"] == OWN_CARRIER:
        return "webhook_not_configured", "The list has a carrier of its own, and no webhook for it"
    return refusal or problem_of_values(MESSAGE, message)


def _rendered(account: Account, message: Row, message_id: str) -> str:
    """Return the text with its placeholders filled, and with tracked links on request."""
    about = message.get("contact_data")
    about = about if isinstance(about, dict) else {}
    fields = about.get("custom_fields")
    values = {**(fields if isinstance(fields, dict) else {}), **about, "messageId": message_id}
    text = _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), str(message["body"]))
    if message.get("wrap_links") is not True or account.domain is None:
        return text
    return _URL.sub(lambda found: str(new_link(account, SHORTENED_LENGTH, found[0], None)["shortUrl"]), text)


def _is_repeat(account: Account, queued: Row) -> bool:
    """Whether the same text was sent to the same number a short time ago."""
    since = _stamp(account.clock() - timedelta(seconds=account.options.duplicate_seconds))
    return account.options.duplicate_seconds > 0 and any(
        (one["to"], one["body"]) == (queued["to"], queued["body"]) and one["at"] > since
        for one in account.messages.values()
    )


def opt_out(account: Account, phone: str, list_number: str, keyword: str = "STOP") -> None:
    """Answer with an opt-out word: the contact becomes inactive, and an event reports it.

    Args:
        account: that has the contact.
        phone: in E.164.
        list_number: the number that was answered, in E.164.
        keyword: what was answered.
    """
    for row in account.contacts_of(phone):
        if row["list_number"] == list_number:
            account.set_active(row, active=False)
            account.opt_outs[f"{phone}/{row['list_id']}"] = "message"
    _notify(
        account,
        {
            "event": "unsubscribe", "phone_number": phone, "list_number": list_number, "keyword": keyword,
            "timestamp": _stamp(account.clock()),
        },
    )  # fmt: skip


def reply(account: Account, phone: str, list_number: str, text: str) -> None:
    """Answer with another text; the vendor does not document the event's fields.

    Args:
        account: that gets it.
        phone: of who answers, in E.164.
        list_number: the number that was answered, in E.164.
        text: what was answered.
    """
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
    """Set or remove the endpoint for an account's events.

    Args:
        account: whose events they are.
        endpoint: None for none.
        mood: how badly events are delivered; None for well.
    """
    if account.webhooks is not None:
        account.webhooks.close()
    account.webhooks = None if endpoint is None else Webhooks(endpoint, mood)


def _deliver(account: Account, message: Row, now: datetime, end: tuple[str, str]) -> None:
    """Send a message's events: pending, then its result."""
    about = {"event": "delivery", "message_id": message["message_id"], "to": message["to"]}
    about["list_number"] = message["list_number"]
    for after, (state, word) in (
        (0, ("pending", "SENT_TO_OPERATOR")),
        (_SECONDS_TO_DELIVERY, end),
    ):
        report = {"status": state, "status_detail": word, "provider": "northwind"}
        report["timestamp"] = _stamp(now + timedelta(seconds=after))
        _notify(account, {**about, **report}, after)


def _notify(account: Account, event: Row, after: float = 0) -> None:
    account.events.append(event)
    if account.webhooks is not None:
        account.webhooks.send_event(event, after)


def _stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"
