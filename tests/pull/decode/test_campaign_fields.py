"""What creatives, audiences and schedules may have in their lists and objects, and what the vendor's pages show."""

import json

import pytest

from pipelines.pull.decode.decoder import ReplyDecoder

ODD_LINKS = [{"link1": []}, ["a", None], [None], [[]], "link1", 7, [{"key": "link1"}, 1]]
FINE_LINKS = [None, "", [], [{}], [{"key": "link1", "offer_id": None, "more": [1]}]]


@pytest.mark.parametrize(("name", "field"), [("creatives", "offer_links"), ("schedules", "blasts")])
def test_what_becomes_rows_is_a_list_of_objects(name: str, field: str) -> None:
    """Anything else is quarantined with the reason, and costs no other row."""
    rows = [{"id": at, field: value} for at, value in enumerate([*ODD_LINKS, *FINE_LINKS])]
    rows = [{**row, "id": f"{row['id']:024x}"} if name == "schedules" else row for row in rows]
    for more in ({}, {"mood": "new"}):
        reply = ReplyDecoder(name).read(json.dumps({name: [row | more for row in rows]}).encode())
        assert [bad.row for bad in reply.rows.bad] == list(range(len(ODD_LINKS)))
        assert {bad.reason for bad in reply.rows.bad} == {f"{field}: not a list of objects"}
        assert reply.rows.batch["row"].to_pylist() == list(range(len(ODD_LINKS), len(rows)))


def test_what_the_vendors_pages_show_is_taken() -> None:
    """Slugs, revenue of a schedule, days by their names, and offers as ids, beside the older forms."""
    days = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), True)
    creative = {
        "id": 12,
        "slug": "cre_k2j4h5",
        "name": "Welcome",
        "message": "Hi {{link1}}",
        "offer_links": [{"key": "link1", "offer_id": "ofr_abc123", "url": None, "url_params": {"a": "1"}}],
        "offers": ["offer_abc123", "507f1f77bcf86cd799439011"],
        "status": "active",
        "creative_type": "automated",
        "character_count": 97,
        "segment_count": 1,
        "created_at": "2025-03-15T14:30:00",
    }
    schedule = {
        "id": "507f1f77bcf86cd799439011",
        "name": "Daily",
        "status": "on",
        "send_type": "automated",
        "source_lists": [1, 2],
        "audiences": ["507f1f77bcf86cd799439012"],
        "is_repeating": True,
        "send_time": "09:30",
        "send_date": None,
        "start_date": "2025-03-15",
        "end_date": "2025-04-15T00:00:00Z",
        "days_of_week": days | {"sunday": False},
        "skip_within_hours": 24,
        "automated_percent": 100,
        "ir_revenue": 12.5,
        "blasts": [],
        "created_at": "2025-03-15T14:30:00Z",
        "updated_at": "2025-03-15T14:30:00.123Z",
    }
    for name, row in (("creatives", creative), ("schedules", schedule)):
        page = {"success": True, name: [row, {"id": row["id"]}], "pagination": {"page": 1, "total": 2}}
        reply = ReplyDecoder(name).read(json.dumps(page).encode())
        assert (reply.rows.bad, reply.rows.unknown, reply.seen.total) == ([], frozenset(), 2)
    held = reply.rows.batch.to_pylist()[0]
    assert (held["ir_revenue"], json.loads(held["days_of_week"])) == (12.5, days | {"sunday": False})
