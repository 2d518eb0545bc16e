"""GET /contacts and /contacts/{phone}, per /api-reference/v2/contacts/list-contacts and get-contact."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.pagination import page_of, paged, pagination
from pipelines.sandbox.replies import Reply, refused
from pipelines.sandbox.requests.call import Call


def list_contacts(account: Account, call: Call) -> Reply:
    """GET /contacts, newest first."""
    number, active = call.query.get("list_number"), call.query.get("active")
    page, per_page = page_of(call.query, "contacts")
    if number is None and active is None:
        rows = account.contact_page((page - 1) * per_page, page * per_page)
        return 200, {"contacts": rows, "pagination": pagination(page, per_page, account.contact_count())}
    chosen = [
        row
        for row in account.contacts()
        if number in (None, row["list_number"]) and active in (None, str(row["active"]).lower())
    ]
    return paged("contacts", chosen, call.query)


def get_contact(account: Account, call: Call) -> Reply:
    """GET /contacts/{phone}: flat with lists, without revenue."""
    rows = account.contacts_of(call.ids["phone"])
    if not rows:
        return refused("contact_not_found", "Contact not found", 404)
    flat = {name: rows[0][name] for name in ("phone_number", "carrier", "line_type", "timezone", "is_valid")}
    names = ("list_id", "list_number", "active", "signup_date", "custom_fields", "send_count", "click_count")
    return 200, {**flat, "lists": [{name: row[name] for name in names} for row in rows]}
