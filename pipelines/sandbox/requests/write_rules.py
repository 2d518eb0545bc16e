"""Types and ranges of all fields of writes, one table per resource; `problem_of_values` checks every write.

Missing fields are not checked. What does not belong here: which fields are required, what they refer to and the
documented codes for that (see the folders of the resources), which come first.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipelines.sandbox.replies import Refusal, Row
from pipelines.sandbox.requests.value_checks import instant, is_number, is_phone

LONGEST_TEXT = 10_000
LARGEST_AMOUNT = 10**9
HOURS_OF_A_YEAR = 8_760
_URL = re.compile(r"https?://[^\s/?#][^\s]*")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?", re.DOTALL)


class Check(NamedTuple):
    """A rule for a value.

    Attributes:
        about: the rule in the error's text, after "is".
        fits: whether a value follows the rule.
        schema: the same for OpenAPI, as far as JSON Schema can express it.
        code: of the refusal; "" for `invalid_` and the field's name.
    """

    about: str
    fits: Callable[[Any], bool]
    schema: Row
    code: str = ""


Fields = Mapping[str, Check]


def problem_of_values(fields: Fields, given: Mapping[str, Any]) -> Refusal | None:
    """The refusal for the first field whose value is of another type or range than declared.

    Args:
        fields: of the resource.
        given: the body, or a record of it.
    """
    for name, check in fields.items():
        if name in given and not check.fits(given[name]):
            return check.code or f"invalid_{name}", f"{name} is {check.about}"
    return None


def is_url(value: object) -> bool:
    """Whether a value is an address of http or https with a host."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not _URL.fullmatch(value):
        return False
    try:
        return _is_sound(value) and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def is_day(value: object) -> bool:
    """Whether a value is an existing day, or an instant."""
    return isinstance(value, str) and _DAY.fullmatch(value) is not None and instant(value) is not None


def is_plain(value: object) -> bool:
    """Whether a value is a text, a number or a boolean."""
    return isinstance(value, bool) or is_number(value) or (isinstance(value, str) and _is_sound(value))


def is_flat(value: object) -> bool:
    """Whether a value is an object of texts, numbers and booleans."""
    return isinstance(value, dict) and all(_is_sound(name) and is_plain(one) for name, one in value.items())


def _is_sound(text: str) -> bool:
    return _NO_TEXT.search(text) is None


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and _is_sound(value)


def _is_flat_but_for_null(value: object) -> bool:
    return isinstance(value, dict) and is_flat({name: one for name, one in value.items() if one is not None})


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ip_address(value))
    except ValueError:
        return False


def _is_id(value: object) -> bool:
    return type(value) is int and is_number(value)


def or_null(check: Check) -> Check:
    """Return the rule, with null allowed too."""
    kind = check.schema["type"]
    schema = {**check.schema, "type": [*(kind if isinstance(kind, list) else [kind]), "null"]}
    return check._replace(
        about=f"{check.about}, or null", fits=lambda value: value is None or check.fits(value), schema=schema
    )


def between(lowest: float, highest: float, *, whole: bool = False, code: str = "") -> Check:
    """Return a rule for a number in a range.

    Args:
        lowest: the lowest allowed number.
        highest: the highest allowed number.
        whole: whether it has no decimal point.
        code: see `Check`.
    """
    kind = "integer" if whole else "number"

    def fits(value: Any) -> bool:
        return is_number(value) and (not whole or type(value) is int) and bool(lowest <= value <= highest)

    schema = {"type": kind, "minimum": lowest, "maximum": highest}
    return Check(f"a {'whole ' * whole}number from {lowest} to {highest}", fits, schema, code)


def one_of(*texts: str) -> Check:
    """Return a rule for one of these texts."""
    return Check(
        f"one of {', '.join(texts)}",
        lambda value: isinstance(value, str) and value in texts,
        {"type": "string", "enum": list(texts)},
    )


def _many(fields: Fields, code: str = "") -> Check:
    """Return a rule for an array of objects with these fields."""

    def fits(value: object) -> bool:
        return isinstance(value, list) and all(
            isinstance(one, dict) and problem_of_values(fields, one) is None for one in value
        )

    schema = {"type": "array", "items": {"type": "object", "properties": schemas(fields)}}
    return Check(f"an array of objects with {', '.join(fields)}", fits, schema, code)


def schemas(fields: Fields) -> Row:
    """Return the fields for OpenAPI."""
    return {name: check.schema for name, check in fields.items()}


FLAG = Check("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
TEXT = Check(f"a text of at most {LONGEST_TEXT:,} characters without NUL", _is_short, {"type": "string"})
WHOLE = Check("a whole number", _is_id, {"type": "integer"})
URL = Check("an address that begins with http:// or https://", is_url, {"type": "string", "format": "uri"})
INSTANT = Check(
    "a time in ISO 8601", lambda value: instant(value) is not None, {"type": "string", "format": "date-time"}
)
DAY = Check("a day that is there, as YYYY-MM-DD", is_day, {"type": "string", "format": "date"})
PHONE = Check("a phone number in E.164", is_phone, {"type": "string"})
FLAT = Check("an object of texts, numbers and booleans", is_flat, {"type": "object"})
NOTES = Check("an object of texts, numbers, booleans and nulls", _is_flat_but_for_null, {"type": "object"})
LABEL = Check(
    "a text or a whole number",
    lambda value: _is_short(value) or _is_id(value),
    {"type": ["string", "integer"]},
)
AMOUNT = between(0, LARGEST_AMOUNT)
IDS = Check(
    "an array of whole numbers",
    lambda v: isinstance(v, list) and all(map(_is_id, v)),
    {"type": "array", "items": {"type": "integer"}},
)
NAMES = Check(
    "an array of texts",
    lambda v: isinstance(v, list) and all(map(_is_short, v)),
    {"type": "array", "items": {"type": "string"}},
)
_ADDRESS = Check("an IP address", _is_address, {"type": "string"})
_DAYS = Check(
    "seven booleans",
    lambda v: isinstance(v, list) and len(v) == 7 and all(isinstance(one, bool) for one in v),
    {"type": "array", "items": {"type": "boolean"}},
    "no_days_selected",
)
_STRINGS = Check(
    "an object of texts",
    lambda v: isinstance(v, dict) and is_flat(v) and all(isinstance(one, str) for one in v.values()),
    {"type": "object", "additionalProperties": {"type": "string"}},
)

CONTACT: Fields = {
    "phone_number": TEXT,
    "list_number": TEXT,
    "custom_fields": Check(
        "an object of texts, numbers and booleans", lambda v: not v or is_flat(v), {"type": "object"}
    ),
    "signup_date": or_null(INSTANT),
    "ip_address": or_null(_ADDRESS),
    "url": or_null(URL),
    "use_journeys": or_null(FLAG),
    "skip_journey_if_exists": or_null(FLAG),
    "use_validation": or_null(FLAG),
    "merge_fields": or_null(FLAG),
}
LINK: Fields = {"key": TEXT, "offer_id": TEXT, "url": or_null(URL), "url_params": or_null(FLAT)}
CREATIVE: Fields = {
    "name": TEXT,
    "message": TEXT,
    "offer_links": _many(LINK),
    "status": TEXT,
    "creative_type": TEXT,
}
OFFER: Fields = {
    "name": TEXT,
    "tracking_url": URL,
    "external_platform": or_null(TEXT),
    "external_id": or_null(LABEL),
    "advertiser_id": or_null(LABEL),
    "payout": AMOUNT,
    "payout_type": TEXT,
    "filter_bots": FLAG,
    "status": TEXT,
    "metadata": _STRINGS,
}
AUDIENCE: Fields = {
    "name": TEXT,
    "description": or_null(TEXT),
    "source_lists": IDS,
    "filter": Check("an object", lambda value: isinstance(value, dict), {"type": "object"}),
}
BLAST: Fields = {
    "percent_audience": between(0, 100, code="invalid_blast_percent"),
    "message": TEXT,
    "offer_links": or_null(_many(LINK)),
    "variant_name": or_null(TEXT),
    "mms_image_url": or_null(URL),
}
SCHEDULE: Fields = {
    "name": TEXT,
    "send_type": TEXT,
    "audiences": NAMES,
    "is_repeating": FLAG,
    "send_time": TEXT,
    "send_date": or_null(DAY),
    "start_date": or_null(DAY),
    "end_date": or_null(DAY),
    "days_of_week": or_null(_DAYS),
    "blasts": or_null(_many(BLAST)),
    "source_lists": IDS,
    "skip_within_hours": between(0, HOURS_OF_A_YEAR, whole=True),
    "use_local_time": FLAG,
    "filter_bots": FLAG,
    "is_mms": FLAG,
    "is_cto": FLAG,
    "automated_percent": or_null(between(0, 100)),
    "status": TEXT,
}
_PERSON: Fields = {
    "first_name": or_null(TEXT),
    "last_name": or_null(TEXT),
    "timezone": or_null(TEXT),
    "custom_fields": or_null(NOTES),
}
MESSAGE: Fields = {
    "to": TEXT,
    "list_number": TEXT,
    "body": TEXT,
    "wrap_links": or_null(FLAG),
    "contact_data": or_null(
        Check(
            f"an object with {', '.join(_PERSON)}",
            lambda v: isinstance(v, dict) and problem_of_values(_PERSON, v) is None,
            {"type": "object", "properties": schemas(_PERSON)},
        )
    ),
    "metadata": or_null(NOTES),
    **dict.fromkeys(
        ("skip_duplicate_check", "skip_rate_limit", "skip_contact_validation", "skip_journey_check"),
        or_null(FLAG),
    ),
}
SHORT_LINK: Fields = {
    "url": or_null(TEXT),
    "offerId": or_null(TEXT),
    "externalOfferId": or_null(TEXT),
    "listId": or_null(WHOLE),
    "phoneNumber": or_null(TEXT),
    "contactPhone": or_null(TEXT),
}
REVENUE: Fields = {
    "message_id": TEXT,
    "revenue": AMOUNT,
    "attribution_type": TEXT,
    "payout": or_null(AMOUNT),
    "offer_id": or_null(TEXT),
}
SEND: Fields = {
    "id": TEXT,
    "to_number": TEXT,
    "timestamp": INSTANT,
    "list_number": or_null(TEXT),
    "list_id": or_null(WHOLE),
    "message": or_null(TEXT),
    "send_type": or_null(TEXT),
    "delivered": or_null(FLAG),
    "length": or_null(between(0, LARGEST_AMOUNT, whole=True)),
}
CLICK: Fields = {
    "message_id": TEXT,
    "offer_id": TEXT,
    "phone_number": TEXT,
    "timestamp": INSTANT,
    "send_timestamp": or_null(INSTANT),
}
EARNED: Fields = {
    "message_id": TEXT, "offer_id": TEXT, "revenue": between(-LARGEST_AMOUNT, LARGEST_AMOUNT),
    "payout": or_null(between(-LARGEST_AMOUNT, LARGEST_AMOUNT)), "attribution_type": or_null(TEXT),
    "timestamp": or_null(INSTANT),
}  # fmt: skip
CLEAR: Fields = {"entities": NAMES, "confirm": FLAG, "before_date": or_null(INSTANT)}

OF_PATHS: dict[str, Fields] = {
    "/contacts": CONTACT, "/contacts/bulk": {"contacts": _many(CONTACT)}, "/offers": OFFER, "/offers/{id}": OFFER,
    "/creatives": CREATIVE, "/creatives/{id}": CREATIVE, "/audiences": AUDIENCE, "/audiences/{id}": AUDIENCE,
    "/schedules": SCHEDULE, "/schedules/{id}": SCHEDULE, "/send": MESSAGE, "/send-raw": MESSAGE,
    "/send/bulk": {"messages": _many(MESSAGE)}, "/send-raw/bulk": {"messages": _many(MESSAGE)},
    "/links": SHORT_LINK, "/links/shorten": SHORT_LINK, "/revenue": REVENUE,
    "/revenue/bulk": {"records": _many(REVENUE)}, "/history/sends": {"records": _many(SEND)},
    "/history/clicks": {"records": _many(CLICK)}, "/history/revenue": {"records": _many(EARNED)},
    "/history/clear": CLEAR,
}  # fmt: skip
"""The fields that v2's writes take, by path, for /openapi.json."""
