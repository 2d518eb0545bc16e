"""Bodies of writes that the sandbox takes, and imports; OFFER and the like stand for ids of the account (`named`)."""

from typing import Any

import httpx

from pipelines.sandbox import Account
from pipelines.sandbox.replies import Row

LIST, OTHER, PHONE = "+15559000001", "+15559000002", "+15550000000"
NOWHERE = "+15551234567"
CONTACT = {"phone_number": PHONE, "list_number": LIST}
PUT_CONTACT = {**CONTACT, "custom_fields": {"a": 1}}
LINK = {"key": "link1", "offer_id": "OFFER"}
CREATIVE = {"name": "A", "message": "Go {{link1}}", "offer_links": [LINK]}
CLICKED = {
    "condition_type": "time",
    "field": "last_clicked_at",
    "operator": "within",
    "value": 3,
    "unit": "days",
}
COUNT = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 1}
CUSTOM = {"condition_type": "custom_field", "field": "tier", "operator": "eq", "value": 1}
CARRIER = {"condition_type": "carrier", "operator": "eq", "value": "x"}
ZONE = {"condition_type": "timezone", "operator": "eq", "value": "UTC"}
REVENUE = {"condition_type": "revenue", "field": "revenue_total", "operator": "gt", "value": 1}
SCHEDULE = {
    "name": "A", "send_type": "blast", "audiences": ["AUDIENCE"], "is_repeating": False, "send_time": "09:30",
    "send_date": "2026-01-01", "blasts": [{"message": "Hi", "percent_audience": 100}],
}  # fmt: skip
WEEKLY = {
    **SCHEDULE, "is_repeating": True, "start_date": "2026-01-01", "end_date": "2026-02-01",
    "days_of_week": [True] * 7,
}  # fmt: skip
OFFER = {"name": "A", "tracking_url": "https://example.com"}
SENT = {"message_id": "MESSAGE", "revenue": 1, "attribution_type": "sale"}
MESSAGE = {"to": PHONE, "list_number": LIST, "body": "Hello"}
SEND = {"id": "s1", "to_number": PHONE, "list_number": LIST, "timestamp": "2025-01-01T00:00:00Z"}
CLICK = {
    "message_id": "SEND", "offer_id": "OFFER", "phone_number": PHONE, "timestamp": "2025-01-01T00:00:00Z"
}  # fmt: skip
EARNED = {"message_id": "SEND", "offer_id": "OFFER", "revenue": 1}
SHORTEN = {"url": "https://example.com", "listId": 1}


def blast(**values: Any) -> Row:
    """A schedule of one blast."""
    return {**SCHEDULE, "blasts": [{"message": "Hi", **values}]}


def named(value: Any, names: dict[str, str]) -> Any:
    """A request with ids in place of their names."""
    if isinstance(value, dict):
        return {name: named(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [named(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def send(account: Account, number: int = 1, **changes: Any) -> Row:
    """A send to one of the account's contacts."""
    contact = account.contacts()[number]
    return {
        "id": f"m{number}",
        "to_number": contact["phone_number"],
        "list_id": contact["list_id"],
        "timestamp": "2025-01-01T00:00:00Z",
        **changes,
    }


def post(http: httpx.Client, entity: str, *records: Any) -> Row:
    """The answer to an import of some records."""
    answer: Row = http.post(f"/history/{entity}", json={"records": list(records)}).json()
    return answer


def sent(http: httpx.Client, method: str, path: str, **body: Any) -> dict[str, Any]:
    """The answer to a request that succeeds."""
    reply = http.request(method, path, json=body)
    assert reply.is_success, reply.text
    answer: dict[str, Any] = reply.json()
    return answer
