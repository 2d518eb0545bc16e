"""The deprecated API: messages and the validation of phone numbers. Writes of contacts succeed and do nothing.

Every reply has HEADERS. Lists, offers, revenue and imports do not exist here: 404. Paths are n/d but for those of the
phone validation; messages are taken at the same paths as in v2. See /api-reference/v2/migration-guide.
"""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.contacts.validation import validate
from pipelines.sandbox.messages.send import queue
from pipelines.sandbox.replies import MAX_RECORDS, Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import is_phone, is_text, rows_of

HEADERS = {"X-API-Deprecated": "v1 is deprecated", "Deprecation": "true"}
MAX_PHONES = 500
_GSM = re.compile(r"[\n\r -~]*")
"""Texts that need no UCS-2 by v1's estimate."""


def post_message(account: Account, call: Call) -> Reply:
    """POST /send: from_phone_number_id (`pn_` and the list's id), to_msisdn or to, body."""
    return _send(account, call.body)


def post_messages(account: Account, call: Call) -> Reply:
    """POST /send/bulk: 201 if some messages failed."""
    messages = rows_of(call.body.get("messages"))
    if not messages:
        return refused("missing_messages", "messages is required")
    if len(messages) > MAX_RECORDS:
        return refused("too_many_messages", f"At most {MAX_RECORDS} messages per call")
    replies = [_send(account, message)[1] for message in messages]
    errors = [{"index": place, **reply} for place, reply in enumerate(replies) if "code" in reply]
    body = {"queued_count": len(replies) - len(errors), "error_count": len(errors), "errors": errors}
    return (201 if errors else 200), {"deprecated": True, **body}


def no_contacts(_: Account, __: Call) -> Reply:
    """Answer any read or write of contacts with success, and do nothing."""
    return 200, {"deprecated": True, "success": True, "contacts": []}


def validate_phone(account: Account, call: Call) -> Reply:
    """POST /phone/validate."""
    phone = call.body.get("phone_number", call.body.get("phone"))
    if not is_text(phone):
        return refused("missing_phone_number", "phone_number is required")
    return 200, _validated(account, str(phone))


def validate_phones(account: Account, call: Call) -> Reply:
    """POST /phone/validate/batch."""
    phones = call.body.get("phone_numbers", call.body.get("phones"))
    if not isinstance(phones, list) or not phones:
        return refused("missing_phones", "phone_numbers is required")
    if len(phones) > MAX_PHONES:
        return refused("too_many_phones", f"At most {MAX_PHONES} phones per call", 413)
    return 200, {"results": [_validated(account, str(phone)) for phone in phones]}


def _send(account: Account, given: Mapping[str, Any]) -> Reply:
    if not is_text(given.get("body")):
        return refused("missing_body", "body is required")
    phone = _normalised(str(given.get("to_msisdn") or given.get("to") or ""))
    if not is_phone(phone):
        return refused("invalid_phone", "to_msisdn is no phone number")
    named = given.get("from_phone_number_id")
    of_list = next((row for row in account.lists if f"pn_{row['id']}" == named), None)
    if of_list is None or of_list["status"] == "deleted":
        return refused("list_not_found", "List not found", 404)
    queued = queue(account, {"to": phone, "list_number": of_list["phone_number"], "body": given["body"]})
    number = f"msg_{queued['message_id']}"
    body = {"message_id": number, "id": number, "status": "queued", **_length(given["body"])}
    return 200, {"deprecated": True, **body}


def _normalised(phone: str) -> str:
    digits = re.sub(r"[^0-9]", "", phone)
    return f"+1{digits}" if len(digits) == 10 else f"+{digits}"


def _length(text: str) -> Row:
    gsm = _GSM.fullmatch(text) is not None
    most, each = (160, 153) if gsm else (70, 67)
    return {"segments": 1 if len(text) <= most else -(-len(text) // each), "gsm7": gsm}


def _validated(account: Account, phone: str) -> Row:
    """Return a number with v1's field names; its line types differ from those of contacts."""
    if not is_phone(phone):
        return {"phone_number": phone, "disposition": "invalid", "line_type": "unknown", "cost": 0.0}
    kinds = {"CELL PHONE": "mobile", "VOIP": "voip", "LANDLINE": "fixed line", "FAKE": "other"}
    known = account.contacts_of(phone)
    kind = kinds.get(known[0]["line_type"] or "", "unknown") if known else "unknown"
    return {"phone_number": phone, "line_type": kind, **validate(account, phone)}
