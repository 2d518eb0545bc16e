"""POST /history/sends, clicks and revenue: each record by itself, partial success is normal.

The rules and codes are those of /api-reference/v2/history/import-sends, import-clicks and import-revenue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.messages.revenue import earn
from pipelines.sandbox.replies import MAX_NAMED_ERRORS, MAX_RECORDS, Refusal, Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import instant, is_number, is_phone, is_text, missing
from pipelines.sandbox.requests.write_rules import CLICK, EARNED, SEND, Fields, problem_of_values


class _Duplicate(Exception):  # noqa: N818 - not an error: the record is there already
    pass


@dataclass(slots=True)
class _Done:
    """The results of a call's records so far."""

    stored: int = 0
    duplicates: int = 0
    revenue: Decimal = Decimal(0)
    errors: list[Row] = field(default_factory=list)


def import_sends(account: Account, call: Call) -> Reply:
    """POST /history/sends."""
    return _import(account, "sends", call.body)


def import_clicks(account: Account, call: Call) -> Reply:
    """POST /history/clicks."""
    return _import(account, "clicks", call.body)


def import_revenue(account: Account, call: Call) -> Reply:
    """POST /history/revenue."""
    return _import(account, "revenue", call.body)


def _import(account: Account, entity: str, body: Mapping[str, Any]) -> Reply:
    records = body.get("records")
    if not isinstance(records, list) or not records:
        return refused("missing_records", "records is required and must not be empty")
    if len(records) > MAX_RECORDS:
        return refused("too_many_records", f"At most {MAX_RECORDS} records per call", 413)
    done = _Done()
    for index, record in enumerate(records):
        _take_one(account, entity, index, record, done)
    invalid_phones = sum(error["code"] == "invalid_phone" for error in done.errors)
    counted = len(done.errors) - (0 if account.options.count_invalid_phones else invalid_phones)
    answer: Row = {
        "success_count": done.stored,
        "error_count": counted,
        "errors": done.errors[:MAX_NAMED_ERRORS],
    }
    if entity == "revenue":
        answer["total_revenue"] = float(done.revenue)
    else:
        answer["duplicates_skipped"] = done.duplicates
    if entity == "sends":
        answer["invalid_phones"] = invalid_phones
    return (account.options.partial_status if done.errors else 200), answer


def _take_one(account: Account, entity: str, index: int, record: Any, done: _Done) -> None:
    try:
        refusal = account.refuse(entity, record) if account.refuse else None
        refusal = refusal or _TAKE[entity](account, record if isinstance(record, dict) else {})
    except _Duplicate:
        done.duplicates += 1
        return
    if refusal is None:
        done.stored += 1
        done.revenue += Decimal(str(record["revenue"])) if entity == "revenue" else 0
        return
    code, error = refusal
    named = {"id": record.get("id")} if entity == "sends" and isinstance(record, dict) else {}
    done.errors.append({"index": index, **named, "code": code, "error": error})


def _send(account: Account, record: Row) -> Refusal | None:
    refusal = missing(record, "id", "to_number", "timestamp")
    if refusal:
        return refusal
    if not is_text(record["id"]):
        return "missing_id", "id is a text"
    if not is_phone(record["to_number"]):
        return "invalid_phone", "to_number is not a valid E.164 number"
    of_list = _list_of(account, record)
    if of_list is None:
        return "list_not_found", "List not found"
    if (refusal := problem_of_values(SEND, record)) is not None:
        return refusal
    contact = account.contact((record["to_number"], of_list["id"]))
    if contact is None and account.options.sends_need_contact:
        return "contact_not_found", "Contact not found"
    if record["id"] in account.sends:
        raise _Duplicate
    account.sends[record["id"]] = {**_declared(SEND, record), "list_id": of_list["id"], "imported": True}
    if contact is not None:
        contact["send_count"] += 1
        contact["last_sent_at"] = _later(contact["last_sent_at"], record["timestamp"])
    return None


def _click(account: Account, record: Row) -> Refusal | None:
    refusal = missing(record, "message_id", "offer_id", "phone_number", "timestamp") or _unknown(
        account, record
    )
    if refusal:
        return refusal
    if not is_text(record["phone_number"]):
        return "missing_phone_number", "phone_number is a text"
    if (refusal := problem_of_values(CLICK, record)) is not None:
        return refusal
    if record["message_id"] in account.clicks:
        raise _Duplicate
    account.clicks[record["message_id"]] = _declared(CLICK, record)
    send = account.sends[record["message_id"]]
    contact = account.contact((record["phone_number"], send["list_id"]))
    if contact is not None:
        contact["click_count"] += 1
        contact["last_clicked_at"] = _later(contact["last_clicked_at"], record["timestamp"])
    return None


def _revenue(account: Account, record: Row) -> Refusal | None:
    refusal = missing(record, "message_id", "offer_id", "revenue") or _unknown(account, record)
    if refusal:
        return refusal
    if not is_number(record["revenue"]):
        return "missing_revenue", "revenue is a number"
    send = account.sends[record["message_id"]]
    contact = account.contact((send["to_number"], send["list_id"]))
    if contact is None:
        return "contact_not_found", "Contact not found"
    if (refusal := problem_of_values(EARNED, record)) is not None:
        return refusal
    earned = {
        "id": account.new_revenue_id(),
        "phone_number": send["to_number"],
        "list_id": send["list_id"],
    }
    account.revenue.append({**earned, **_declared(EARNED, record)})
    when = record.get("timestamp") or send["timestamp"]
    earn(contact, record["revenue"], _later(contact.get("last_revenue_at"), when))
    return None


_TAKE: dict[str, Callable[[Account, Row], Refusal | None]] = {
    "sends": _send,
    "clicks": _click,
    "revenue": _revenue,
}


def _declared(fields: Fields, record: Row) -> Row:
    return {name: value for name, value in record.items() if name in fields}


def _unknown(account: Account, record: Row) -> Refusal | None:
    if not is_text(record["message_id"]) or record["message_id"] not in account.sends:
        return "message_not_found", "Message not found"
    if all(offer["id"] != record["offer_id"] for offer in account.offers):
        return "offer_not_found", "Offer not found"
    return None


def _list_of(account: Account, record: Row) -> Row | None:
    for row in account.lists:
        if row["status"] != "deleted" and (
            row["id"] == record.get("list_id") or row["phone_number"] == record.get("list_number")
        ):
            return row
    return None


def _later(before: str | None, timestamp: object) -> str | None:
    """Return the later of two times, in the form of contacts: without a zone, in seconds."""
    when = instant(timestamp)
    text = when.strftime("%Y-%m-%dT%H:%M:%S") if when else None
    return max(filter(None, (before, text)), default=None)
