"""POST, PUT and DELETE /contacts and POST /contacts/bulk, per /api-reference/v2/contacts/*.

A contact is a phone number; a row is a phone number on a list. What does not belong here: the price of validation and
the numbers that are refused (`validation`).
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pipelines.sandbox.account import Account
from pipelines.sandbox.contacts.validation import fate, validate
from pipelines.sandbox.replies import MAX_NAMED_ERRORS, Refusal, Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import instant, missing, phone_and_list, rows_of
from pipelines.sandbox.requests.write_rules import CONTACT, is_flat, problem_of_values

MAX_CONTACTS = 1000
MAX_CONTACT_BYTES = 4_000
"""/api-reference/v2/rate-limiting."""


def post_contact(account: Account, call: Call) -> Reply:
    """POST /contacts: add a contact to a list, or merge into the existing one."""
    given = dict(call.body)
    if is_large(given):
        return refused("payload_too_large", "A contact has at most 4,000 bytes", 413)
    if given.get("use_validation") and account.billing:
        return refused(account.billing, "Validation cannot be billed", 402)
    refusal = _problem(account, given) or fate(str(given["phone_number"]), use_validation=False)
    if refusal is not None:
        return refused(*refusal)
    done = upsert(account, given)
    if given.get("use_validation"):
        done["validation"] = validate(account, given["phone_number"])
    return account.options.created_status, {"success": True, **done}


def post_contacts(account: Account, call: Call) -> Reply:
    """POST /contacts/bulk: each contact by itself; but one that cannot be billed refuses the whole call."""
    contacts = rows_of(call.body.get("contacts"))
    refusal = _problem_of_call(account, contacts)
    if refusal is not None:
        return refusal
    errors: list[Row] = []
    done: list[Row] = []
    for index, given in enumerate(contacts):
        problem = _problem_in_bulk(account, given)
        if problem is None:
            done.append(upsert(account, given))
        else:
            named = {"index": index, "phone_number": given.get("phone_number")}
            errors.append({**named, "code": problem[0], "error": problem[1]})
    answer = {
        "success_count": len(done),
        "error_count": len(errors),
        "errors": errors[:MAX_NAMED_ERRORS],
        "contacts_created": sum(one["is_new_contact"] for one in done),
        "list_contacts_created": sum(one["is_new_list_contact"] for one in done),
        "journeys_enrolled": sum(one["journeys_enrolled"] for one in done),
    }
    return (account.options.partial_status if errors else 200), answer


def _problem_of_call(account: Account, contacts: list[Row]) -> Reply | None:
    """Return the reply that refuses a complete bulk call, if any."""
    if not contacts:
        return refused("missing_contacts", "contacts is required and must not be empty")
    if len(contacts) > MAX_CONTACTS:
        return refused("too_many_contacts", f"At most {MAX_CONTACTS} contacts per call", 413)
    if account.billing and any(one.get("use_validation") for one in contacts):
        return refused(account.billing, "Validation cannot be billed", 402)
    if account.options.large_contact_sinks_batch and any(is_large(one) for one in contacts):
        return refused("payload_too_large", "A contact has at most 4,000 bytes", 413)
    return None


def put_contact(account: Account, call: Call) -> Reply:
    """PUT /contacts: change custom fields, and nothing else; by default they are merged."""
    refusal = missing(call.body, "phone_number", "list_number", "custom_fields")
    if refusal is None and not is_flat(call.body["custom_fields"]):
        refusal = "invalid_custom_fields", "custom_fields is an object of texts, numbers and booleans"
    refusal = refusal or phone_and_list(account, call.body) or problem_of_values(CONTACT, call.body)
    if refusal is not None:
        return refused(*refusal)
    phone = call.body["phone_number"]
    if not account.contacts_of(phone):
        return refused("contact_not_found", "Contact not found")
    row = _row(account, call.body)
    if row is None:
        return refused("list_contact_not_found", "The contact is not on this list")
    kept = {} if call.body.get("merge_fields") is False else row["custom_fields"]
    row["custom_fields"] = {**kept, **call.body["custom_fields"]}
    found = {"list_contact_id": _hex_id(phone, row["list_id"]), "custom_fields": row["custom_fields"]}
    return 200, {"success": True, **found}


def delete_contact(account: Account, call: Call) -> Reply:
    """DELETE /contacts with a JSON body: opt a contact out; success also if it does not exist."""
    refusal = missing(call.body, "phone_number", "list_number")
    if refusal is not None:
        return refused(*refusal)
    row = _row(account, call.body)
    unsubscribed = row is not None and row["active"]
    if row is not None and unsubscribed:
        account.set_active(row, active=False)
        account.opt_outs[f"{row['phone_number']}/{row['list_id']}"] = "api"
    return 200, {"success": True, "unsubscribed": unsubscribed}


def is_large(contact: Mapping[str, Any]) -> bool:
    """Whether a contact has more bytes of JSON than allowed."""
    text = json.dumps(contact, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass")) > MAX_CONTACT_BYTES


def upsert(account: Account, given: Row) -> Row:
    """Add or merge a valid contact; return its fields for the reply."""
    phone, of_list = given["phone_number"], account.list_of(given["list_number"])
    assert of_list is not None  # noqa: S101 - checked before
    is_new = not account.contacts_of(phone)
    row = _row(account, given)
    joins = _joins_journeys(account, row, given)
    if row is None:
        row_now = _new_row(account, given, of_list)
        account.add_contact(row_now)
        of_list["contact_count"] += 1
    else:
        row_now = _merged(account, row, given)
    row_now["in_workflow"] |= joins
    evidence = {name: given[name] for name in ("ip_address", "url") if given.get(name)}
    account.consents.setdefault(f"{phone}/{of_list['id']}", {}).update(evidence)
    return {
        "contact_id": _hex_id(phone, None),
        "list_contact_id": _hex_id(phone, of_list["id"]),
        "is_new_contact": is_new,
        "is_new_list_contact": row is None,
        "journeys_enrolled": int(joins),
    }


def _joins_journeys(account: Account, row: Row | None, given: Row) -> bool:
    """Whether the list's journeys begin: on request, and by default only for new contacts."""
    if given.get("use_journeys") is not True:
        return False
    if row is None:
        return True
    return given.get("skip_journey_if_exists") is False and _may_change(account, row)


def _may_change(account: Account, row: Row) -> bool:
    """Whether a contact may be changed: by default not if it has opted out."""
    return bool(row["active"]) or account.options.upsert_reactivates


def _problem(account: Account, given: Row) -> Refusal | None:
    return phone_and_list(account, given) or problem_of_values(CONTACT, given)


def _problem_in_bulk(account: Account, given: Row) -> Refusal | None:
    """A bulk call also refuses numbers that did not pass validation; a single one stores them."""
    if is_large(given):
        return "payload_too_large", "A contact has at most 4,000 bytes"
    refusal = _problem(account, given)
    if refusal is not None:
        return refusal
    paid = bool(given.get("use_validation"))
    if paid:
        validate(account, given["phone_number"])
    return fate(given["phone_number"], paid)


def _new_row(account: Account, given: Row, of_list: Row) -> Row:
    known = account.contacts_of(given["phone_number"])
    about = {name: known[0][name] if known else None for name in ("carrier", "line_type", "timezone")}
    return {
        "phone_number": given["phone_number"],
        "list_number": of_list["phone_number"],
        "list_id": of_list["id"],
        "active": True,
        "signup_date": _date(account, given),
        "signup_method": "api",
        "custom_fields": dict(given.get("custom_fields") or {}),
        **about,
        "is_valid": known[0]["is_valid"] if known else True,
        "send_count": 0,
        "click_count": 0,
        "revenue_total": 0.0,
        "conversion_count": 0,
        "last_sent_at": None,
        "last_clicked_at": None,
        "in_workflow": False,
    }


def _merged(account: Account, row: Row, given: Row) -> Row:
    """Merge given fields into a row; move it if its date changes."""
    if not _may_change(account, row):
        return row
    account.set_active(row, active=True)
    row["custom_fields"] = {**row["custom_fields"], **(given.get("custom_fields") or {})}
    if account.options.upsert_moves and given.get("signup_date") is not None:
        row = {**row, "signup_date": _date(account, given)}
        account.add_contact(row)
    return row


def _date(account: Account, given: Row) -> str:
    """Return the sign-up date: by default now; without a zone, as in contacts."""
    when = instant(given["signup_date"]) if given.get("signup_date") is not None else account.clock()
    return f"{when:%Y-%m-%dT%H:%M:%S}"


def _row(account: Account, given: Mapping[str, Any]) -> Row | None:
    phone, of_list = given["phone_number"], account.list_of(given["list_number"])
    return account.contact((phone, of_list["id"])) if of_list is not None and isinstance(phone, str) else None


def _hex_id(phone: str, list_id: int | None) -> str:
    return sha256(f"{phone}/{list_id}".encode()).hexdigest()[:24]
