"""Requests that an account refuses, by what brings that about; each with its status and its code."""

from typing import Any

from bodies import (
    CARRIER,
    CLICK,
    CLICKED,
    CONTACT,
    COUNT,
    CREATIVE,
    CUSTOM,
    EARNED,
    LINK,
    MESSAGE,
    NOWHERE,
    OFFER,
    OTHER,
    PHONE,
    PUT_CONTACT,
    REVENUE,
    SCHEDULE,
    SEND,
    SENT,
    SHORTEN,
    WEEKLY,
    ZONE,
    blast,
)

from pipelines.sandbox.replies import Row

Case = tuple[str, str, Any, int, str]


def without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def missing(method: str, path: str, row: Row, *names: str) -> list[Case]:
    """A request without each field in turn."""
    return [(method, path, without(row, name), 400, f"missing_{name}") for name in names]


def filtered(code: str, *conditions: Row, **group: Any) -> Case:
    """An audience whose filter is wrong."""
    wanted = {"operator": "AND", "conditions": list(conditions), **group}
    return ("POST", "/audiences", {"name": "A", "filter": wanted}, 400, code)


ALONE: list[Case] = [
    *missing("POST", "/contacts", CONTACT, "phone_number", "list_number"),
    ("POST", "/contacts", {**CONTACT, "phone_number": "555"}, 400, "invalid_phone"),
    ("POST", "/contacts", {**CONTACT, "phone_number": 15550000000}, 400, "invalid_phone"),
    ("POST", "/contacts", {**CONTACT, "list_number": "one"}, 400, "invalid_list_number"),
    ("POST", "/contacts", {**CONTACT, "list_number": NOWHERE}, 400, "list_not_found"),
    ("POST", "/contacts", {**CONTACT, "phone_number": "+15556660001"}, 400, "not_sendable"),
    ("POST", "/contacts", {**CONTACT, "custom_fields": {"a": "ü" * 2000}}, 413, "payload_too_large"),
    ("POST", "/contacts", {**CONTACT, "custom_fields": []}, 200, ""),
    ("POST", "/contacts", {**CONTACT, "custom_fields": [1]}, 400, "invalid_custom_fields"),
    ("POST", "/contacts", {**CONTACT, "signup_date": "soon"}, 400, "invalid_signup_date"),
    ("POST", "/contacts/bulk", {}, 400, "missing_contacts"),
    ("POST", "/contacts/bulk", {"contacts": {}}, 400, "missing_contacts"),
    ("POST", "/contacts/bulk", {"contacts": [CONTACT] * 1001}, 413, "too_many_contacts"),
    ("POST", "/contacts/bulk", {"contacts": [{**CONTACT, "url": "x" * 4000}]}, 413, "payload_too_large"),
    *missing("PUT", "/contacts", PUT_CONTACT, "phone_number", "list_number", "custom_fields"),
    ("PUT", "/contacts", {**PUT_CONTACT, "custom_fields": {"a": [1]}}, 400, "invalid_custom_fields"),
    ("PUT", "/contacts", {**PUT_CONTACT, "phone_number": "555"}, 400, "invalid_phone"),
    ("PUT", "/contacts", {**PUT_CONTACT, "list_number": "one"}, 400, "invalid_list_number"),
    ("PUT", "/contacts", {**PUT_CONTACT, "list_number": NOWHERE}, 400, "list_not_found"),
    ("PUT", "/contacts", {**PUT_CONTACT, "phone_number": NOWHERE}, 400, "contact_not_found"),
    ("PUT", "/contacts", {**PUT_CONTACT, "list_number": OTHER}, 400, "list_contact_not_found"),
    *missing("DELETE", "/contacts", CONTACT, "phone_number", "list_number"),
    ("GET", f"/contacts/{NOWHERE}", None, 404, "contact_not_found"),
    ("GET", "/lists/999", None, 404, "not_found"),
    *missing("POST", "/creatives", CREATIVE, "name", "message", "offer_links"),
    ("POST", "/creatives", {**CREATIVE, "name": 5}, 400, "missing_name"),
    ("POST", "/creatives", {**CREATIVE, "name": "x" * 256}, 400, "name_too_long"),
    ("POST", "/creatives", {**CREATIVE, "message": "{{link1}}" + "x" * 1600}, 400, "message_too_long"),
    ("POST", "/creatives", {**CREATIVE, "status": "archived"}, 400, "invalid_status"),
    ("POST", "/creatives", {**CREATIVE, "creative_type": "loud"}, 400, "invalid_creative_type"),
    ("POST", "/creatives", {**CREATIVE, "message": "Go"}, 400, "missing_link_placeholder"),
    (
        "POST", "/creatives", {**CREATIVE, "message": "{{link1}} {{link2}}"}, 400,
        "missing_offer_links_for_placeholders",
    ),
    ("POST", "/creatives", {**CREATIVE, "offer_links": [{"offer_id": "OFFER"}]}, 400, "missing_offer_link_key"),
    ("POST", "/creatives", {**CREATIVE, "offer_links": [{"key": "link1"}]}, 400, "missing_offer_link_offer_id"),
    ("POST", "/creatives", {**CREATIVE, "offer_links": [{**LINK, "offer_id": "x"}]}, 400, "offer_not_found"),
    ("PUT", "/creatives/1", {"status": "gone"}, 400, "invalid_status"),
    ("PUT", "/creatives/1", {"message": "Go"}, 400, "missing_link_placeholder"),
    *((method, f"/{of}/x", {}, 404, "not_found")
      for of in ("creatives", "audiences", "schedules", "offers") for method in ("GET", "PUT", "DELETE")),
    ("GET", "/audiences/x/size", None, 404, "not_found"),
    *missing("POST", "/audiences", {"name": "A", "filter": {}}, "name", "filter"),
    ("POST", "/audiences", {"name": "x" * 256, "filter": {}}, 400, "name_too_long"),
    ("POST", "/audiences", {"name": "A", "filter": {}, "source_lists": [99]}, 400, "source_list_not_found"),
    ("POST", "/audiences", {"name": "A", "filter": {}, "source_lists": ["1"]}, 400, "source_list_not_found"),
    filtered("invalid_group_operator", CLICKED, operator="XOR"),
    filtered("empty_filter_group"),
    filtered("empty_filter_group", groups=[{"operator": "OR", "conditions": []}]),
    ("POST", "/audiences", {"name": "A", "filter": "all"}, 400, "empty_filter_group"),
    filtered("invalid_filter", CLICKED, groups="x"),
    filtered("invalid_list_id", {**COUNT, "list_id": "1"}),
    filtered("invalid_time_unit", {**COUNT, "unit": "weeks"}),
    filtered("missing_carrier_value", {**CARRIER, "operator": "in", "value": [["x"]]}),
    filtered("invalid_condition_type", {"condition_type": "mood"}),
    filtered("invalid_condition_type", "all"),  # type: ignore[arg-type] # on purpose
    filtered("invalid_time_field", {**CLICKED, "field": "born_at"}),
    filtered("invalid_count_field", {**COUNT, "field": "x"}),
    filtered("invalid_revenue_field", {**REVENUE, "field": "x"}),
    filtered("invalid_time_operator", {**CLICKED, "operator": "eq"}),
    filtered("invalid_count_operator", {**COUNT, "operator": "within"}),
    filtered("invalid_custom_field_operator", {**CUSTOM, "operator": "near"}),
    filtered("invalid_carrier_operator", {**CARRIER, "operator": "gt"}),
    filtered("invalid_timezone_operator", {**ZONE, "operator": None}),
    filtered("invalid_revenue_operator", {**REVENUE, "operator": "within"}),
    filtered("invalid_time_unit", {**CLICKED, "unit": "weeks"}),
    filtered("missing_time_value", without(CLICKED, "value")),
    filtered("missing_count_value", {**COUNT, "value": "1"}),
    filtered("missing_custom_field_value", without(CUSTOM, "value")),
    filtered("missing_custom_field_value", {**CUSTOM, "operator": "in"}),
    filtered("missing_carrier_value", {**CARRIER, "value": ""}),
    filtered("missing_timezone_value", without(ZONE, "value")),
    filtered("missing_revenue_value", without(REVENUE, "value")),
    filtered("missing_custom_field_name", without(CUSTOM, "field")),
    ("PUT", "/audiences/AUDIENCE", {"name": "x" * 256}, 400, "name_too_long"),
    *missing("POST", "/offers", OFFER, "name", "tracking_url"),
    ("POST", "/offers", {**OFFER, "name": "x" * 256}, 400, "name_too_long"),
    ("POST", "/offers", {**OFFER, "external_platform": "x"}, 400, "invalid_external_platform"),
    ("PUT", "/offers/OFFER", {"payout_type": []}, 400, "invalid_payout_type"),
    ("PUT", "/offers/OFFER", {"status": "gone"}, 400, "invalid_status"),
    ("PUT", "/offers/OFFER", {"payout": True}, 400, "invalid_payout"),
    ("PUT", "/offers/OFFER", {"metadata": "x"}, 400, "invalid_metadata"),
    *missing("POST", "/schedules", SCHEDULE, "name", "send_type", "is_repeating", "send_time", "audiences"),
    *missing("POST", "/schedules", SCHEDULE, "send_date", "blasts"),
    *missing("POST", "/schedules", WEEKLY, "start_date", "end_date"),
    ("POST", "/schedules", {**WEEKLY, "days_of_week": [False] * 7}, 400, "no_days_selected"),
    ("POST", "/schedules", {**SCHEDULE, "send_type": "drip"}, 400, "invalid_send_type"),
    ("POST", "/schedules", {**SCHEDULE, "status": "complete"}, 400, "invalid_status"),
    ("POST", "/schedules", {**SCHEDULE, "send_time": "25:00"}, 400, "missing_send_time"),
    (
        "POST", "/schedules", {**SCHEDULE, "blasts": [{"message": "Hi", "percent_audience": 99}]}, 400,
        "invalid_blast_percent",
    ),
    ("POST", "/schedules", {**SCHEDULE, "blasts": [{"percent_audience": 100}]}, 400, "missing_blast_message"),
    ("POST", "/schedules", {**SCHEDULE, "audiences": ["x"]}, 404, "audience_not_found"),
    ("POST", "/schedules", {**SCHEDULE, "audiences": ["ARCHIVED"]}, 404, "audience_not_found"),
    ("POST", "/schedules", {**SCHEDULE, "source_lists": [99]}, 404, "source_list_not_found"),
    ("POST", "/schedules", {**SCHEDULE, "name": "x" * 256}, 400, "name_too_long"),
    (
        "POST", "/schedules", blast(percent_audience=100, offer_links=[{**LINK, "offer_id": "x"}]), 404,
        "offer_not_found",
    ),
    ("PUT", "/schedules/COMPLETE", {"name": "B"}, 400, "schedule_complete"),
    *((method, path, body, status, code) for path in ("/send", "/send-raw") for method, _, body, status, code in (
        *missing("POST", path, MESSAGE, "to", "list_number", "body"),
        ("POST", path, {**MESSAGE, "to": "555"}, 400, "invalid_phone"),
        ("POST", path, {**MESSAGE, "list_number": "one"}, 400, "invalid_list_number"),
        ("POST", path, {**MESSAGE, "list_number": NOWHERE}, 400, "list_not_found"),
        ("POST", path, {**MESSAGE, "list_number": "+15559000005"}, 400, "webhook_not_configured"),
    )),
    ("POST", "/send/bulk", {}, 400, "missing_messages"),
    ("POST", "/send/bulk", {"messages": [MESSAGE] * 1001}, 413, "too_many_messages"),
    ("POST", "/send-raw/bulk", {}, 400, "missing_messages"),
    ("POST", "/send-raw/bulk", {"messages": [MESSAGE] * 1001}, 413, "too_many_messages"),
    ("POST", "/links", {"listId": 1}, 400, "missing_url_or_offer"),
    ("POST", "/links", {"offerId": "OFFER"}, 400, "missing_list_identifier"),
    ("POST", "/links", {"offerId": "x", "listId": 1}, 404, "offer_not_found"),
    ("POST", "/links/shorten", without(SHORTEN, "url"), 400, "missing_url_or_offer"),
    ("POST", "/links/shorten", without(SHORTEN, "listId"), 400, "missing_list_identifier"),
    ("POST", "/links/shorten", {**SHORTEN, "url": "ftp://x"}, 400, "invalid_url"),
    ("POST", "/links/shorten", {**SHORTEN, "contactPhone": 5}, 400, "invalid_phone"),
    ("POST", "/links/shorten", {"url": "https://example.com", "phoneNumber": "x"}, 400, "invalid_phone"),
    ("POST", "/links/shorten", {**SHORTEN, "offerId": "PAUSED"}, 404, "offer_not_found"),
    ("POST", "/links/shorten", {**SHORTEN, "listId": 99}, 404, "list_not_found"),
    *missing("POST", "/revenue", SENT, "message_id", "revenue", "attribution_type"),
    ("POST", "/revenue", {**SENT, "revenue": -1}, 400, "invalid_revenue"),
    ("POST", "/revenue", {**SENT, "attribution_type": "luck"}, 400, "invalid_attribution_type"),
    ("POST", "/revenue", {**SENT, "message_id": ["x"]}, 400, "message_not_found"),
    ("POST", "/revenue", {**SENT, "message_id": "ORPHAN"}, 400, "contact_not_found"),
    ("POST", "/revenue", {**SENT, "offer_id": "x"}, 400, "offer_not_found"),
    *(("POST", path, {"records": []}, 400, "missing_records")
      for path in ("/revenue/bulk", "/history/sends", "/history/clicks", "/history/revenue")),
    *(("POST", path, {"records": [{}] * 1001}, 413, "too_many_records")
      for path in ("/revenue/bulk", "/history/sends", "/history/clicks", "/history/revenue")),
    ("DELETE", "/history/clear", {"entities": ["sends"]}, 400, "confirmation_required"),
    ("DELETE", "/history/clear", {"entities": ["x"], "confirm": True}, 400, "invalid_entities"),
    (
        "DELETE", "/history/clear", {"entities": ["sends"], "confirm": True, "before_date": "x"}, 400,
        "invalid_before_date",
    ),
    ("GET", "/nothing", None, 404, "not_found"),
    ("GET", "/lists/", None, 404, "not_found"),
    ("PATCH", "/lists", None, 405, "method_not_allowed"),
    ("DELETE", "/history/sends", None, 405, "method_not_allowed"),
]  # fmt: skip
"""Requests that are refused with a status and a code."""

OF_RECORDS: list[tuple[str, str, Row, str]] = [
    *(("/contacts/bulk", "contacts", row, code) for row, code in (
        (without(CONTACT, "phone_number"), "missing_phone_number"),
        (without(CONTACT, "list_number"), "missing_list_number"),
        ({**CONTACT, "phone_number": "1"}, "invalid_phone"),
        ({**CONTACT, "list_number": "1"}, "invalid_list_number"),
        ({**CONTACT, "list_number": NOWHERE}, "list_not_found"),
        ({**CONTACT, "phone_number": "+15556660000"}, "not_sendable"),
        ({**CONTACT, "phone_number": "+15556670000", "use_validation": True}, "validation_failed"),
        ({**CONTACT, "phone_number": "+15556680000", "use_validation": True}, "provider_error"),
        ({**CONTACT, "custom_fields": "x"}, "invalid_custom_fields"),
    )),
    *(("/revenue/bulk", "records", row, code) for row, code in (
        (without(SENT, "message_id"), "missing_message_id"),
        (without(SENT, "revenue"), "missing_revenue"),
        (without(SENT, "attribution_type"), "missing_attribution_type"),
        ({**SENT, "revenue": "1"}, "invalid_revenue"),
        ({**SENT, "attribution_type": {}}, "invalid_attribution_type"),
        ({**SENT, "message_id": "x"}, "message_not_found"),
        ({**SENT, "message_id": "ORPHAN"}, "contact_not_found"),
    )),
    *((path, "messages", row, code) for path in ("/send/bulk", "/send-raw/bulk") for row, code in (
        (without(MESSAGE, "to"), "missing_to"),
        (without(MESSAGE, "list_number"), "missing_list_number"),
        (without(MESSAGE, "body"), "missing_body"),
        ({**MESSAGE, "to": 1}, "missing_to"),
        ({**MESSAGE, "to": "1"}, "invalid_phone"),
        ({**MESSAGE, "list_number": "1"}, "invalid_list_number"),
        ({**MESSAGE, "list_number": NOWHERE}, "list_not_found"),
        ({**MESSAGE, "list_number": "+15559000005"}, "webhook_not_configured"),
    )),
    *(("/history/sends", "records", row, code) for row, code in (
        (without(SEND, "id"), "missing_id"),
        ({**SEND, "id": []}, "missing_id"),
        (without(SEND, "to_number"), "missing_to_number"),
        (without(SEND, "timestamp"), "missing_timestamp"),
        ({**SEND, "to_number": ["x"]}, "invalid_phone"),
        ({**SEND, "timestamp": 5}, "invalid_timestamp"),
        ({**SEND, "list_number": NOWHERE}, "list_not_found"),
    )),
    *(("/history/clicks", "records", row, code) for row, code in (
        (without(CLICK, "message_id"), "missing_message_id"),
        (without(CLICK, "offer_id"), "missing_offer_id"),
        (without(CLICK, "phone_number"), "missing_phone_number"),
        ({**CLICK, "phone_number": ["x"]}, "missing_phone_number"),
        (without(CLICK, "timestamp"), "missing_timestamp"),
        ({**CLICK, "timestamp": "x"}, "invalid_timestamp"),
        ({**CLICK, "message_id": {}}, "message_not_found"),
        ({**CLICK, "offer_id": ["x"]}, "offer_not_found"),
    )),
    *(("/history/revenue", "records", row, code) for row, code in (
        (without(EARNED, "message_id"), "missing_message_id"),
        (without(EARNED, "offer_id"), "missing_offer_id"),
        (without(EARNED, "revenue"), "missing_revenue"),
        ({**EARNED, "revenue": "x"}, "missing_revenue"),
        ({**EARNED, "message_id": "x"}, "message_not_found"),
        ({**EARNED, "offer_id": "x"}, "offer_not_found"),
        ({**EARNED, "message_id": "LOST"}, "contact_not_found"),
    )),
]  # fmt: skip
"""Records of bulk calls that fail alone, each with its code."""

BY_CONTROL: list[tuple[Row, Case]] = [
    *(({"billing": code}, ("POST", "/contacts", {**CONTACT, "use_validation": True}, 402, code))
      for code in ("no_billing_config", "no_payment_method", "payment_failed", "suspended")),
    ({"billing": "no_payment_method"}, (
        "POST", "/contacts/bulk", {"contacts": [CONTACT, {**CONTACT, "use_validation": True}]}, 402,
        "no_payment_method")),
    ({"domain": None}, ("POST", "/links/shorten", SHORTEN, 409, "no_domain_configured")),
    ({"domain": None}, ("POST", "/links", {"offerId": "OFFER", "listId": 1}, 409, "no_domain_configured")),
    ({"products": ["sms"]}, ("POST", "/links", {"offerId": "OFFER", "listId": 1}, 403, "product_not_enabled")),
    ({"products": []}, ("POST", "/links/shorten", SHORTEN, 403, "product_not_enabled")),
    ({"products": ["sms"]}, ("GET", "/offers", None, 403, "offer_management_not_enabled")),
    ({"products": ["offer_management"]}, ("POST", "/send", MESSAGE, 403, "sms_not_enabled")),
    ({"suspended": True}, ("GET", "/lists", None, 403, "")),
    ({"options": {"unserved": ["audiences"]}}, ("GET", "/audiences", None, 404, "not_found")),
]  # fmt: skip
"""What POST /_sandbox/account changes, and a request that is refused for it."""

BY_FAULT: list[tuple[str, Case]] = [
    ("error,status=401,code=unauthorized", ("GET", "/lists", None, 401, "unauthorized")),
    ("error,status=500,code=id_collision", ("POST", "/links/shorten", SHORTEN, 500, "id_collision")),
    ("error,status=500,code=server_error", ("POST", "/offers", OFFER, 500, "server_error")),
    ("500", ("POST", "/contacts/bulk", {"contacts": [CONTACT]}, 500, "internal_error")),
    ("429,seconds=1", ("GET", "/lists", None, 429, "rate_limited")),
]
"""Faults, and a request that meets them."""

OF_V1: list[Case] = [
    ("POST", "/send/bulk", {"messages": [{}] * 1001}, 400, "too_many_messages"),
    ("POST", "/send/bulk", {}, 400, "missing_messages"),
    (
        "POST", "/send", {"to_msisdn": "(555) 000-0001", "from_phone_number_id": "pn_99", "body": "x"}, 404,
        "list_not_found",
    ),
    ("POST", "/send", {"to_msisdn": "1", "body": "x"}, 400, "invalid_phone"),
    ("POST", "/send", {}, 400, "missing_body"),
    ("POST", "/phone/validate", {}, 400, "missing_phone_number"),
    ("POST", "/phone/validate/batch", {}, 400, "missing_phones"),
    ("POST", "/phone/validate/batch", {"phone_numbers": [PHONE] * 501}, 413, "too_many_phones"),
    ("GET", "/offers", None, 404, "not_found"),
    ("POST", "/history/sends", {}, 404, "not_found"),
    ("PATCH", "/contacts", {}, 405, "method_not_allowed"),
]  # fmt: skip
"""The deprecated API's."""
