"""The table of routes: their functions, fields and codes of refusals.

What does not belong here: authentication (see `app`), and the functions' work (see the folders of the resources).
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipelines.sandbox import v1
from pipelines.sandbox.campaigns import audiences, creatives, links, offers, schedules
from pipelines.sandbox.contacts import lists, reads, writes
from pipelines.sandbox.contacts.validation import BILLING_CODES
from pipelines.sandbox.messages import clear_history, imports, revenue, send
from pipelines.sandbox.requests.call import Handler


class Route(NamedTuple):
    """One route.

    Attributes:
        method: of HTTP.
        path: below the version's prefix; `{name}` stands for any text without a slash.
        handler: the function that answers.
        about: its purpose, in a line.
        takes: the query's names, or the body's fields; those with `*` are required.
        codes: its codes of refusals, in the reply or in `errors`, in addition to those of every route.
        product: the required product, and the code without it.
    """

    method: str
    path: str
    handler: Handler
    about: str
    takes: str = ""
    codes: str = ""
    product: tuple[str, str] = ("", "")


_SMS = ("sms", "sms_not_enabled")
_OFFERS = ("offer_management", "offer_management_not_enabled")
_PAGES = "page per_page status"
_LOOSE = "missing_phone_number missing_list_number"
_OF_CONTACTS = f"{_LOOSE} invalid_phone invalid_list_number list_not_found"
_OF_NUMBERS = "not_sendable payload_too_large invalid_custom_fields invalid_signup_date " + " ".join(
    BILLING_CODES
)
_CONTACT = (
    "phone_number* list_number* custom_fields signup_date ip_address url use_journeys skip_journey_if_exists "
    "use_validation"
)
_CREATIVE = "name* message* offer_links* status creative_type"
_OF_CREATIVES = (
    "missing_name missing_message missing_offer_links name_too_long message_too_long invalid_status "
    "invalid_creative_type missing_link_placeholder missing_offer_links_for_placeholders missing_offer_link_key "
    "missing_offer_link_offer_id offer_not_found"
)
_OFFER = (
    "name* tracking_url* external_platform external_id advertiser_id payout payout_type filter_bots status "
    "metadata"
)
_OF_OFFERS = (
    "missing_name missing_tracking_url name_too_long invalid_external_platform invalid_payout_type invalid_status "
    "invalid_payout invalid_metadata"
)
_OF_AUDIENCES = (
    "missing_name name_too_long source_list_not_found empty_filter_group invalid_group_operator "
    "invalid_condition_type invalid_time_field invalid_count_field invalid_revenue_field invalid_time_operator "
    "invalid_count_operator invalid_custom_field_operator invalid_carrier_operator invalid_timezone_operator "
    "invalid_revenue_operator invalid_time_unit missing_time_value missing_count_value missing_custom_field_value "
    "missing_carrier_value missing_timezone_value missing_revenue_value missing_custom_field_name "
    "filter_too_deep invalid_filter invalid_list_id"
)
_SCHEDULE = (
    "name* send_type* audiences* is_repeating* send_time* send_date start_date end_date days_of_week blasts "
    "source_lists skip_within_hours use_local_time filter_bots is_mms is_cto automated_percent status"
)
_OF_SCHEDULES = (
    "missing_name missing_send_type invalid_send_type missing_is_repeating missing_send_time missing_audiences "
    "invalid_status missing_send_date missing_start_date missing_end_date no_days_selected missing_blasts "
    "invalid_blast_percent missing_blast_message audience_not_found source_list_not_found "
    "offer_not_found name_too_long"
)
_RECORDS = "missing_records too_many_records"
_IMPORTED = "missing_message_id missing_offer_id message_not_found offer_not_found save_error"
_REVENUE = "message_id* revenue* attribution_type* payout offer_id"
_OF_REVENUE = (
    "missing_message_id missing_revenue missing_attribution_type invalid_revenue invalid_attribution_type "
    "message_not_found contact_not_found"
)
_MESSAGE = "to* list_number* body* wrap_links contact_data metadata"
_RAW = "to* list_number* body* " + " ".join(send.SKIPS) + " metadata"
_OF_MESSAGES = (
    "missing_to missing_list_number missing_body invalid_phone invalid_list_number list_not_found "
    "webhook_not_configured"
)
_OF_LINKS = (
    "missing_url_or_offer missing_list_identifier invalid_phone offer_not_found list_not_found "
    "no_domain_configured"
)
_MANY = "missing_messages too_many_messages"

ROUTES = (
    Route("GET", "/contacts", reads.list_contacts, "Contacts, newest first, 1,000 a page at most",
          "page per_page list_number active", "", _SMS),
    Route("POST", "/contacts", writes.post_contact, "Add a contact to a list, or merge into the one there",
          _CONTACT, f"{_OF_CONTACTS} {_OF_NUMBERS}", _SMS),
    Route("POST", "/contacts/bulk", writes.post_contacts, "The same for 1,000 contacts at most", "contacts*",
          f"{_OF_CONTACTS} {_OF_NUMBERS} missing_contacts too_many_contacts validation_failed provider_error", _SMS),
    Route("PUT", "/contacts", writes.put_contact, "Change custom fields",
          "phone_number* list_number* custom_fields* merge_fields",
          f"{_OF_CONTACTS} missing_custom_fields invalid_custom_fields contact_not_found list_contact_not_found",
          _SMS),
    Route("DELETE", "/contacts", writes.delete_contact, "Opt a contact out; success also where there is nobody",
          "phone_number* list_number*", _LOOSE, _SMS),
    Route("GET", "/contacts/{phone}", reads.get_contact, "A phone number with its lists", "", "contact_not_found",
          _SMS),
    Route("GET", "/lists", lists.list_lists, "Lists, all at once, without deleted ones", "status", "", _SMS),
    Route("GET", "/lists/{id}", lists.get_list, "A list", "", "not_found", _SMS),
    Route("GET", "/offers", offers.list_offers, "Offers, 100 a page at most, without archived ones", _PAGES, "",
          _OFFERS),
    Route("POST", "/offers", offers.post_offer, "Make an offer", _OFFER, _OF_OFFERS, _OFFERS),
    Route("GET", "/offers/{id}", offers.get_offer, "An offer", "", "not_found", _OFFERS),
    Route("PUT", "/offers/{id}", offers.put_offer, "Change an offer; metadata is merged", _OFFER.replace("*", ""),
          f"not_found {_OF_OFFERS}", _OFFERS),
    Route("DELETE", "/offers/{id}", offers.delete_offer, "Archive an offer", "", "not_found", _OFFERS),
    Route("GET", "/creatives", creatives.list_creatives, "Creatives, 100 a page at most; active ones by default",
          f"{_PAGES} creative_type", "", _SMS),
    Route("POST", "/creatives", creatives.post_creative, "Make a creative", _CREATIVE, _OF_CREATIVES, _SMS),
    Route("GET", "/creatives/{id}", creatives.get_creative, "A creative", "", "not_found", _SMS),
    Route("PUT", "/creatives/{id}", creatives.put_creative, "Change a creative", _CREATIVE.replace("*", ""),
          f"not_found {_OF_CREATIVES}", _SMS),
    Route("DELETE", "/creatives/{id}", creatives.delete_creative, "Archive a creative", "", "not_found", _SMS),
    Route("GET", "/audiences", audiences.list_audiences, "Audiences, 100 a page at most, without archived ones",
          _PAGES, "", _SMS),
    Route("POST", "/audiences", audiences.post_audience, "Make an audience",
          "name* filter* description source_lists", f"missing_filter {_OF_AUDIENCES}", _SMS),
    Route("GET", "/audiences/{id}", audiences.get_audience, "An audience, its filter in camelCase", "", "not_found",
          _SMS),
    Route("PUT", "/audiences/{id}", audiences.put_audience, "Change an audience",
          "name filter description source_lists", f"not_found {_OF_AUDIENCES}", _SMS),
    Route("DELETE", "/audiences/{id}", audiences.delete_audience, "Archive an audience", "", "not_found", _SMS),
    Route("GET", "/audiences/{id}/size", audiences.get_size, "Count an audience now; writes cached_size", "",
          "not_found", _SMS),
    Route("GET", "/schedules", schedules.list_schedules, "Schedules, all at once, without those in the archive",
          "status", "", _SMS),
    Route("POST", "/schedules", schedules.post_schedule, "Make a schedule; nothing is ever sent here", _SCHEDULE,
          _OF_SCHEDULES, _SMS),
    Route("GET", "/schedules/{id}", schedules.get_schedule, "A schedule", "", "not_found", _SMS),
    Route("PUT", "/schedules/{id}", schedules.put_schedule, "Change a schedule", _SCHEDULE.replace("*", ""),
          f"not_found schedule_complete {_OF_SCHEDULES}", _SMS),
    Route("DELETE", "/schedules/{id}", schedules.delete_schedule, "Move a schedule to the archive", "", "not_found",
          _SMS),
    Route("POST", "/send", send.post_send, "Queue a message", _MESSAGE, _OF_MESSAGES, _SMS),
    Route("POST", "/send/bulk", send.post_send_bulk, "Queue messages, 1,000 at most", "messages*",
          f"{_MANY} {_OF_MESSAGES}", _SMS),
    Route("POST", "/send-raw", send.post_send_raw, "Queue a message, some checks skipped", _RAW, _OF_MESSAGES, _SMS),
    Route("POST", "/send-raw/bulk", send.post_send_raw_bulk, "Queue such messages, 1,000 at most", "messages*",
          f"{_MANY} {_OF_MESSAGES}", _SMS),
    Route("POST", "/links", links.post_link, "Make a link to an offer",
          "offerId externalOfferId listId phoneNumber", _OF_LINKS, ("offer_management", "product_not_enabled")),
    Route("POST", "/links/shorten", links.post_shorten, "Make a link to a URL or an offer",
          "url offerId listId phoneNumber contactPhone", f"{_OF_LINKS} invalid_url id_collision",
          ("sms", "product_not_enabled")),
    Route("GET", "/revenue", revenue.list_revenue, "Revenue events; 404 unless the account serves them",
          "page per_page", "", _OFFERS),
    Route("POST", "/revenue", revenue.post_revenue, "Record live revenue", _REVENUE,
          f"{_OF_REVENUE} offer_not_found", _OFFERS),
    Route("POST", "/revenue/bulk", revenue.post_revenue_bulk, "Record live revenue, 1,000 at most", "records*",
          f"{_RECORDS} {_OF_REVENUE}", _OFFERS),
    Route("POST", "/history/sends", imports.import_sends, "Import sends, 1,000 at most", "records*",
          f"{_RECORDS} missing_id missing_to_number invalid_phone list_not_found missing_timestamp "
          "invalid_timestamp save_error"),
    Route("POST", "/history/clicks", imports.import_clicks, "Import clicks, 1,000 at most", "records*",
          f"{_RECORDS} {_IMPORTED} missing_phone_number missing_timestamp invalid_timestamp"),
    Route("POST", "/history/revenue", imports.import_revenue, "Import revenue, 1,000 at most; repeats count again",
          "records*", f"{_RECORDS} {_IMPORTED} missing_revenue contact_not_found"),
    Route("DELETE", "/history/clear", clear_history.clear_history, "Remove imported history and all revenue for good",
          "entities* confirm* before_date", "confirmation_required invalid_entities invalid_before_date"),
)  # fmt: skip

ROUTES_OF_V1 = (
    Route("POST", "/send", v1.post_message, "Queue a message",
          "from_phone_number_id* to_msisdn* body*", "missing_body invalid_phone list_not_found", _SMS),
    Route("POST", "/send/bulk", v1.post_messages, "Queue messages; 201 where some failed", "messages*",
          f"{_MANY} missing_body invalid_phone list_not_found", _SMS),
    *(Route(method, "/contacts", v1.no_contacts, "Answers with success and does nothing")
      for method in ("GET", "POST", "PUT", "DELETE")),
    Route("GET", "/contacts/{phone}", v1.no_contacts, "Answers with success and does nothing"),
    Route("POST", "/contacts/bulk", v1.no_contacts, "Answers with success and does nothing"),
    Route("POST", "/phone/validate", v1.validate_phone, "Validate a phone number", "phone_number*",
          "missing_phone_number"),
    Route("POST", "/phone/validate/batch", v1.validate_phones, "Validate phone numbers, 500 at most",
          "phone_numbers*", "missing_phones too_many_phones"),
)  # fmt: skip


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
    """Return the route of a request, the values in its path, and the methods of the path.

    Args:
        routes: a table of routes.
        method: of HTTP; HEAD is answered like GET.
        path: below the version's prefix.
    """
    wanted = "GET" if method == "HEAD" else method
    methods: list[str] = []
    for route in routes:
        ids = _ids(route.path, path)
        if ids is not None:
            methods.append(route.method)
            if route.method == wanted:
                return route, ids, methods
    return None, {}, methods


def _ids(pattern: str, path: str) -> dict[str, str] | None:
    """Return the values in a path for the names of a route's pattern; None if the path does not match."""
    wanted, found = pattern.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    pairs = list(zip(wanted, found, strict=True))
    if any(name != text and not (name.startswith("{") and text) for name, text in pairs):
        return None
    return {name[1:-1]: text for name, text in pairs if name.startswith("{")}
