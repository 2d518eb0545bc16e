"""What the account does on demand: every fault of a reply, options of imports and contacts, control routes."""

from collections.abc import Callable

import httpx
import pytest
from bodies import PHONE, post, send

from pipelines.sandbox import Account, Server, parse_fault, seed_account
from pipelines.sandbox.replies import Row


@pytest.fixture
def account() -> Account:
    """All of its contacts are one page."""
    return seed_account(contacts=60)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("total,value=99", lambda page, _: page["pagination"]["total"] == 99),
        ("no-pages", lambda page, _: page["pagination"]["total_pages"] == 0),
        ("no-total", lambda page, _: "total" not in page["pagination"]),
        ("more,value=3", lambda page, all_rows: page["pagination"]["total"] == len(all_rows) + 3),
        ("cut,value=3", lambda page, all_rows: page["contacts"] == all_rows[2:3]),
        (
            "repeat",
            lambda page, all_rows: (page["contacts"], page["pagination"]["page"]) == (all_rows[:2], 2),
        ),
        ("page-size,value=1", lambda page, all_rows: page["contacts"] == all_rows[1:2]),
        (
            "blank-times",
            lambda page, all_rows: (
                [(r["last_clicked_at"], r["carrier"]) for r in page["contacts"]]
                == [(r["last_clicked_at"] or "", r["carrier"]) for r in all_rows[2:4]]
            ),
        ),
        (
            "broken-keys,rate=1,value=1",
            lambda page, _: [r["phone_number"] for r in page["contacts"]] == [""] * 2,
        ),
        ("shape", lambda page, _: page == {"data": {"items": []}}),
        ("zeros", lambda page, _: page == {"success_count": 0, "error_count": 0, "errors": []}),
        ("rewritten", lambda page, all_rows: page["contacts"] == all_rows[2:4]),
        ("drip,value=50000", lambda page, all_rows: page["contacts"] == all_rows[2:4]),
    ],
)
def test_a_fault_of_a_reply_is_what_its_description_says(
    http: httpx.Client, server: Server, fault: str, expected: Callable[[Row, list[Row]], bool]
) -> None:
    """The second page of contacts, two of them a page, beside all contacts without a fault."""
    everything = http.get("/contacts", params={"per_page": 1000}).json()["contacts"]
    server.faults.active.append(parse_fault(fault))
    reply = http.get("/contacts", params={"page": 2, "per_page": 2})
    assert reply.status_code == 200
    assert expected(reply.json(), everything), reply.text[:500]
    if fault == "rewritten":
        assert list(reply.json()) == ["pagination", "contacts"]
        assert "\\/" in reply.text or "/" not in reply.text


@pytest.mark.parametrize(("fault", "rows"), [("null-rows", {"contacts": None}), ("no-rows", {})])
def test_no_rows_may_be_null_or_left_out(
    http: httpx.Client, server: Server, fault: str, rows: dict[str, None]
) -> None:
    """Beyond the last page."""
    server.faults.active.append(parse_fault(fault))
    reply = http.get("/contacts", params={"page": 9_999}).json()
    assert {name: value for name, value in reply.items() if name != "pagination"} == rows


def test_half_of_an_import_is_done_before_the_connection_ends(
    http: httpx.Client, server: Server, account: Account
) -> None:
    """The first half."""
    server.faults.active.append(parse_fault("half"))
    with pytest.raises(httpx.RemoteProtocolError):
        post(http, "sends", *(send(account, number) for number in range(4)))
    assert list(account.sends) == ["m0", "m1"]


def test_options_of_the_account(http: httpx.Client, account: Account) -> None:
    """A send to nobody, and a date of signing up that moves; a click that comes again counts as one."""
    control = http.base_url.copy_with(path="/_sandbox/account")
    options = {"sends_need_contact": True, "upsert_moves": True}
    assert http.post(control, json={"options": options}).json()["options"]["upsert_moves"] is True
    lone = send(account) | {"to_number": "+15557654321"}
    assert [one["code"] for one in post(http, "sends", lone)["errors"]] == ["contact_not_found"]
    last = account.contacts()[-1]
    named = {name: last[name] for name in ("phone_number", "list_number")}
    http.post("/contacts", json={**named, "signup_date": "2031-01-01T00:00:00Z"}).raise_for_status()
    assert account.contacts()[0]["phone_number"] == last["phone_number"]
    post(http, "sends", send(account))
    click = {
        "message_id": "m1", "offer_id": account.offers[0]["id"], "phone_number": send(account)["to_number"],
        "timestamp": "2025-01-02T00:00:00Z",
    }  # fmt: skip
    answer = post(http, "clicks", click, click)
    assert (answer["success_count"], answer["duplicates_skipped"], len(account.clicks)) == (1, 1, 1)


def test_control_routes_of_webhooks(http: httpx.Client, account: Account) -> None:
    """An endpoint is set, shown, resumed and taken away; people opt out and answer with or without one."""
    control = str(http.base_url.copy_with(path="/_sandbox"))
    one = next(row for row in account.contacts() if row["active"])
    who = {"phone": one["phone_number"], "list_number": one["list_number"]}
    assert http.get(f"{control}/webhooks").json() == {"endpoint": None}
    assert http.post(f"{control}/webhooks/resume").json() == {"endpoint": None}
    assert http.post(f"{control}/opt-outs", json=who).json() == {"endpoint": None}
    assert account.contact((who["phone"], one["list_id"]))["active"] is False  # type: ignore[index] # it is there
    assert http.post(f"{control}/replies", json={**who, "text": "hi"}).json() == {"endpoint": None}
    assert http.post(f"{control}/replies", json=who).status_code == 400
    given = {"url": "http://127.0.0.1:9/", "secret": "whsec", "pause_after": 5}
    assert http.post(f"{control}/webhooks", json=given).json()["endpoint"]["secret"] == ""
    shown = http.get(f"{control}/webhooks").json()
    assert (shown["endpoint"]["pause_after"], shown["attempts"], shown["paused"]) == (5, 0, False)
    assert http.post(f"{control}/webhooks/resume").json()["paused"] is False
    assert http.delete(f"{control}/webhooks").json() == {"endpoint": None}
    assert http.get(f"{control}/nothing").status_code == 404


def test_numbers_are_validated_by_the_deprecated_api_too(http: httpx.Client) -> None:
    """A contact's line type has another name there; what is no number has none."""
    found = http.post(
        http.base_url.copy_with(path="/api/v1/phone/validate/batch"),
        json={"phone_numbers": [PHONE, "12"]},
    ).json()["results"]
    assert [one["phone_number"] for one in found] == [PHONE, "12"]
    assert found[0]["line_type"] in ("mobile", "voip", "fixed line", "other", "unknown")
    assert found[1] == {"phone_number": "12", "disposition": "invalid", "line_type": "unknown", "cost": 0.0}


def test_the_blasts_of_a_schedule_can_be_replaced(http: httpx.Client, account: Account) -> None:
    """As a change, with the shares that they had to have when it was made."""
    schedule = next(row for row in account.schedules if row["status"] not in ("complete", "archive"))
    blasts = [{"message": "One", "percent_audience": 60}, {"message": "Two", "percent_audience": 40}]
    reply = http.put(f"/schedules/{schedule['id']}", json={"blasts": blasts})
    assert reply.status_code == 200, reply.text
    assert [one["message"] for one in reply.json()["schedule"]["blasts"]] == ["One", "Two"]
    assert schedule["blasts"] == reply.json()["schedule"]["blasts"]
