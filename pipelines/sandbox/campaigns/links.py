"""POST /links and /links/shorten, per /api-reference/v2/links/*. Each call makes another link; no read shows them.

Bodies and replies are in camelCase here, unlike everywhere else.
"""

from hashlib import sha256

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import is_phone, is_text
from pipelines.sandbox.requests.write_rules import NOTES, SHORT_LINK, is_plain, is_url, problem_of_values

CREATED_LENGTH, SHORTENED_LENGTH = 6, 7
"""Characters of an id: the documentation shows both."""
_KNOWN = ("url", "offerId", "externalOfferId", "contactPhone", "listId", "phoneNumber")


def post_link(account: Account, call: Call) -> Reply:
    """POST /links: a link to an offer, by its id or by a partner's."""
    given = call.body
    if not is_text(given.get("offerId")) and not is_text(given.get("externalOfferId")):
        return refused("missing_url_or_offer", "offerId or externalOfferId is required")
    name, field = ("offerId", "id") if is_text(given.get("offerId")) else ("externalOfferId", "external_id")
    offer = _offer_of(account, given[name], field)
    refusal = _list_problem(account, call) or _value_problem(call)
    if refusal is not None:
        return refusal
    if offer is None or offer["status"] != "active":
        return refused("offer_not_found", "Offer not found, or not active", 404)
    if account.domain is None:
        return refused("no_domain_configured", "The list has no domain for links", 409)
    link = new_link(account, CREATED_LENGTH, offer["tracking_url"], offer["id"])
    body = {
        "shortUrl": link["shortUrl"],
        "linkId": link["linkId"],
        "clickTrackerUrl": f"https://{account.domain}/c/{link['linkId']}",
        "destinationUrl": link["destinationUrl"],
        "domain": f"https://{account.domain}",
        "offerId": offer["id"],
    }
    return account.options.created_status, body


def post_shorten(account: Account, call: Call) -> Reply:
    """POST /links/shorten: a link to a URL, or to an active offer of the account."""
    given = call.body
    offer = _offer_of(account, given.get("offerId"), "id")
    if not given.get("url") and not given.get("offerId"):
        return refused("missing_url_or_offer", "url or offerId is required")
    refusal = _list_problem(account, call) or _target_problem(call, offer) or _value_problem(call)
    if refusal is not None:
        return refusal
    if account.domain is None:
        return refused("no_domain_configured", "The list has no domain for links", 409)
    target, offer_id, bots = (given["url"], None, False) if offer is None else _of_offer(offer)
    link = new_link(account, SHORTENED_LENGTH, target, offer_id)
    body = {**link, "domain": account.domain, "filterBots": bots}
    link["metadata"] = {name: value for name, value in given.items() if name not in _KNOWN}
    return account.options.created_status, body


def _offer_of(account: Account, named: object, field: str) -> Row | None:
    return next((row for row in account.offers if row[field] == named), None)


def _of_offer(offer: Row) -> tuple[str, str, bool]:
    return offer["tracking_url"], offer["id"], offer["filter_bots"]


def _target_problem(call: Call, offer: Row | None) -> Reply | None:
    """Return the refusal of a link's target, if any; an offer wins over a URL."""
    if call.body.get("offerId"):
        known = offer is not None and offer["status"] == "active"
        return None if known else refused("offer_not_found", "Offer not found, or not active", 404)
    if not is_url(call.body["url"]):
        return refused("invalid_url", "url begins with http:// or https://")
    return None


def _list_problem(account: Account, call: Call) -> Reply | None:
    wanted, number = call.body.get("listId"), call.body.get("phoneNumber")
    if wanted is None and not number:
        return refused("missing_list_identifier", "listId or phoneNumber is required")
    if wanted is None and not is_phone(number):
        return refused("invalid_phone", "phoneNumber is not a valid E.164 number")
    for row in account.lists:
        if row["status"] != "deleted" and (
            row["phone_number"] == number if wanted is None else type(wanted) is int and row["id"] == wanted
        ):
            return None
    return refused("list_not_found", "List not found", 404)


def _contact_problem(call: Call) -> Reply | None:
    phone = call.body.get("contactPhone")
    if phone is None or is_phone(phone):
        return None
    return refused("invalid_phone", "contactPhone is not a valid E.164 number")


def _value_problem(call: Call) -> Reply | None:
    """Return the refusal of the other values, if any; a client's own values are kept with the link."""
    if (of_contact := _contact_problem(call)) is not None:
        return of_contact
    refusal = problem_of_values(SHORT_LINK, call.body)
    if refusal is None and not all(_is_own(value) for name, value in call.body.items() if name not in _KNOWN):
        refusal = (
            "invalid_metadata",
            "What is kept with a link is a text, a number, a boolean, or an object of them",
        )
    return None if refusal is None else refused(*refusal)


def _is_own(value: object) -> bool:
    return value is None or is_plain(value) or NOTES.fits(value)


def new_link(account: Account, length: int, target: str, offer_id: str | None) -> Row:
    """Make a link and keep it.

    Args:
        account: the account.
        length: characters of the link's id.
        target: the link's address.
        offer_id: the link's offer, if any.
    """
    link_id = sha256(f"link {len(account.links)}".encode()).hexdigest()[:length]
    link: Row = {
        "linkId": link_id,
        "shortUrl": f"https://{account.domain}/{link_id}",
        "destinationUrl": target,
        "offerId": offer_id,
    }
    account.links.append(link)
    return link
