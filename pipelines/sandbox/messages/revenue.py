"""Live revenue, per /api-reference/v2/revenue/*, and the events, for accounts that serve them.

GET /revenue is not documented. Repeats are not skipped: revenue that is sent twice counts twice. What does not belong
here: imported revenue (`imports`).
"""

from decimal import Decimal
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.offers import find_offer
from pipelines.sandbox.pagination import paged
from pipelines.sandbox.replies import (
    MAX_NAMED_ERRORS,
    MAX_RECORDS,
    Refusal,
    Reply,
    Row,
    not_found,
    refused,
)
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import is_number, is_text, missing, rows_of
from pipelines.sandbox.requests.write_rules import REVENUE, problem_of_values

ATTRIBUTIONS = ("sale", "click", "send")


def list_revenue(account: Account, call: Call) -> Reply:
    """GET /revenue, newest first; 404 unless the account's options say otherwise."""
    if not account.options.revenue_events:
        return not_found()
    return paged("revenue", account.revenue[::-1], call.query)


def post_revenue(account: Account, call: Call) -> Reply:
    """POST /revenue: one conversion of a live message."""
    record = dict(call.body)
    refusal = _problem(account, record)
    if refusal is None and record.get("offer_id") and find_offer(account, record["offer_id"]) is None:
        refusal = "offer_not_found", "Offer not found"
    if refusal is not None:
        return refused(*refusal)
    row = _record(account, record)
    body = {name: row[name] for name in ("message_id", "revenue", "attribution_type")}
    return account.options.created_status, {"success": True, **body}


def post_revenue_bulk(account: Account, call: Call) -> Reply:
    """POST /revenue/bulk: each record by itself; offers are not looked up."""
    records = rows_of(call.body.get("records"))
    if not records:
        return refused("missing_records", "records is required and must not be empty")
    if len(records) > MAX_RECORDS:
        return refused("too_many_records", f"At most {MAX_RECORDS} records per call", 413)
    errors: list[Row] = []
    total = Decimal(0)
    for index, record in enumerate(records):
        refusal = _problem(account, record)
        if refusal is None:
            total += Decimal(str(_record(account, record)["revenue"]))
        else:
            errors.append({"index": index, "code": refusal[0], "error": refusal[1]})
    answer = {"success_count": len(records) - len(errors), "error_count": len(errors)}
    body = {**answer, "total_revenue": float(total), "errors": errors[:MAX_NAMED_ERRORS]}
    return (account.options.partial_status if errors else 200), body


def earn(contact: Row, amount: Any, when: str | None) -> None:
    """Add to the totals of a contact.

    Args:
        contact: its row.
        amount: dollars, as JSON has them.
        when: the time of the revenue, without a zone.
    """
    contact["revenue_total"] = float(Decimal(str(contact["revenue_total"])) + Decimal(str(amount)))
    contact["conversion_count"] += 1
    contact["last_revenue_at"] = when


def _problem(account: Account, record: Row) -> Refusal | None:
    refusal = missing(record, "message_id", "revenue", "attribution_type")
    if refusal is not None:
        return refusal
    if not is_number(record["revenue"]) or record["revenue"] < 0:
        return "invalid_revenue", "revenue is a number from 0"
    if record["attribution_type"] not in ATTRIBUTIONS:
        return "invalid_attribution_type", f"attribution_type is one of {', '.join(ATTRIBUTIONS)}"
    message = account.messages.get(record["message_id"]) if is_text(record["message_id"]) else None
    if message is None:
        return "message_not_found", "Message not found"
    if _contact_of(account, message) is None:
        return "contact_not_found", "Contact not found"
    return problem_of_values(REVENUE, record)


def _record(account: Account, record: Row) -> Row:
    message = account.messages[record["message_id"]]
    contact = _contact_of(account, message)
    assert contact is not None  # noqa: S101 - checked before
    now = f"{account.clock():%Y-%m-%dT%H:%M:%S}"
    row = {
        "id": account.new_revenue_id(),
        "message_id": record["message_id"],
        "offer_id": record.get("offer_id"),
        "phone_number": contact["phone_number"],
        "list_id": contact["list_id"],
        "revenue": record["revenue"],
        "payout": record.get("payout"),
        "attribution_type": record["attribution_type"],
        "timestamp": now,
    }
    account.revenue.append(row)
    earn(contact, record["revenue"], now)
    return row


def _contact_of(account: Account, message: Row) -> Row | None:
    of_list = account.list_of(message["list_number"])
    return None if of_list is None else account.contact((message["to"], of_list["id"]))
