"""Every documented error code can be had from the account by a request, with its status."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from bodies import (
    CLICK,
    EARNED,
    LIST,
    MESSAGE,
    SEND,
    named,
)
from refusals import ALONE, BY_CONTROL, BY_FAULT, OF_RECORDS, OF_V1, Case
from sandbox.plain_clients import WITHOUT_KEY, client

from pipelines.sandbox import Account, running, seed_account
from pipelines.sandbox.replies import Row
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.serving.routes import ROUTES, ROUTES_OF_V1, find


@pytest.fixture(scope="module")
def account() -> Account:
    """An account with what the requests refer to: a message, imported sends, one whose contact is gone."""
    account = seed_account(contacts=20)
    account.lists[4]["list_type"] = "own"
    return account


@pytest.fixture(scope="module")
def http(account: Account) -> Iterator[httpx.Client]:
    """A client of the account, for all of v2, v1 and the control routes."""
    with running(account) as server, client(server.url.removesuffix("/api/v2")) as asking:
        yield asking


@pytest.fixture(scope="module")
def names(http: httpx.Client, account: Account) -> dict[str, str]:
    """What stands in the requests for ids."""
    gone = "+15550009999"
    http.post("/api/v2/contacts", json={"phone_number": gone, "list_number": LIST})
    sends = [{**SEND, "id": "SEND"}, {**SEND, "id": "LOST", "to_number": gone}]
    assert http.post("/api/v2/history/sends", json={"records": sends}).json()["success_count"] == 2
    message = http.post("/api/v2/send", json=MESSAGE).json()["message_id"]
    orphan = http.post("/api/v2/send", json={**MESSAGE, "to": gone}).json()["message_id"]
    account.remove_contact((gone, 1))

    def some(rows: list[Row], status: str) -> str:
        return next(str(row["id"]) for row in rows if row["status"] == status)

    return {
        "MESSAGE": message, "ORPHAN": orphan,
        "OFFER": some(account.offers, "active"), "PAUSED": some(account.offers, "paused"),
        "AUDIENCE": some(account.audiences, "active"), "ARCHIVED": some(account.audiences, "archived"),
        "COMPLETE": some(account.schedules, "complete"),
    }  # fmt: skip


def ask(http: httpx.Client, names: dict[str, str], case: Case, version: str = "v2") -> None:
    """Make a request and hold the answer against what is expected."""
    method, path, body, status, code = case
    path = "/".join(names.get(part, part) for part in path.split("/"))
    reply = http.request(method, f"/api/{version}{path}", json=None if body is None else named(body, names))
    assert (reply.status_code, reply.json().get("code", "")) == (status, code), (method, path, reply.text)
    assert status == 200 or isinstance(reply.json()["error"], str)


def test_requests_are_refused_by_code(http: httpx.Client, names: dict[str, str]) -> None:
    """A request that breaks a rule is refused with the rule's status and code."""
    for case in ALONE:
        ask(http, names, case)


def test_records_fail_by_code(http: httpx.Client, names: dict[str, str]) -> None:
    """A record of a bulk call that breaks a rule fails alone, with its place and the rule's code."""
    for path, array, row, code in OF_RECORDS:
        reply = http.post(f"/api/v2{path}", json={array: [named(row, names)]}).json()
        assert [(error["index"], error["code"]) for error in reply["errors"]] == [(0, code)], (path, row)
        assert reply["error_count"] == 1


def test_states_of_the_account_refuse_by_code(http: httpx.Client, names: dict[str, str]) -> None:
    """What an account lacks is refused with its code; the control route takes it away and gives it back."""
    well = {
        "billing": "",
        "domain": "lnk.example",
        "products": ["sms", "offer_management"],
        "suspended": False,
    }
    for change, case in BY_CONTROL:
        assert http.post("/_sandbox/account", json=change).status_code == 200
        ask(http, names, case)
        assert http.post("/_sandbox/account", json=well).status_code == 200
    for wrong in (
        {"billing": "broke"}, {"colour": "red"}, {"options": {"created_status": "x"}}, {"options": {"x": 1}},
        {"lists": {"99": {"status": "paused"}}}, {"lists": {"1": {"id": 5}}}, {"products": ["mms"]},
    ):  # fmt: skip
        assert http.post("/_sandbox/account", json=wrong).status_code == 400


def test_faults_refuse_by_code(http: httpx.Client, names: dict[str, str]) -> None:
    """Codes of a service in trouble come by faults; save_error strikes single records."""
    for fault, case in BY_FAULT:
        assert http.post("/_sandbox/faults", json={"fault": fault}).status_code == 200
        ask(http, names, case)
        http.delete("/_sandbox/faults")
    http.post("/_sandbox/faults", json={"fault": "save-error"})
    for entity, row in (("sends", SEND), ("clicks", CLICK), ("revenue", EARNED)):
        reply = http.post(f"/api/v2/history/{entity}", json={"records": [named(row, names)]}).json()
        assert reply["errors"][0]["code"] == "save_error"
    http.delete("/_sandbox/faults")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("key", "code"), [(None, "missing_api_key"), ("", "missing_api_key"), ("trk_x", "invalid_api_key")]
)
def test_keys_are_refused_by_code(http: httpx.Client, version: str, key: str | None, code: str) -> None:
    """A missing key and a wrong one are refused in both versions, whatever is asked for."""
    headers = {} if key is None else {"X-Api-Key": key}
    for method, path in (("GET", "/contacts"), ("POST", "/nothing")):
        reply = WITHOUT_KEY.request(method, f"{http.base_url}/api/{version}{path}", headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (401, code)
        assert ("Deprecation" in reply.headers) == (version == "v1")


def test_v1_refuses_by_code(http: httpx.Client, names: dict[str, str]) -> None:
    """The deprecated API has statuses of its own, and 404 for what it does not have."""
    for case in OF_V1:
        ask(http, names, case, "v1")


ODD: tuple[Any, ...] = (
    None, "", "x", 5, -1, 1.5, True, [], {}, [1], ["x"], [{}], {"a": []}, 10**400, "\ud83d", "+15550000000",
)  # fmt: skip
"""Values of other types than what is asked for."""


def with_odd_values(value: Any) -> Iterator[Any]:
    """A body with an odd value in each place in turn."""
    yield from ODD
    if isinstance(value, dict):
        yield from ({**value, name: odd} for name, item in value.items() for odd in with_odd_values(item))
    elif isinstance(value, list) and len(value) < 10:
        yield from (
            [*value[:place], odd] for place, item in enumerate(value) for odd in with_odd_values(item)
        )


def test_no_value_of_another_type_crashes(names: dict[str, str]) -> None:
    """Whatever stands in a body, each route answers with what JSON can write, and never with a crash."""
    account = seed_account(contacts=20)
    good = [*ALONE, *(("POST", path, {array: [row]}, 0, "") for path, array, row, _ in OF_RECORDS)]
    done = 0
    for method, path, body, _, _ in good:
        route, ids, _ = find(ROUTES, method, "/".join(names.get(part, part) for part in path.split("/")))
        if route is None or body is None:
            continue
        for odd in with_odd_values(named(body, names)):
            if isinstance(odd, dict):
                status, answer = route.handler(account, Call(ids, {}, odd))
                assert json.dumps(answer)
                assert status < 500
                done += 1
    assert done > 1_000


DOCUMENTED = """
missing_api_key invalid_api_key unauthorized product_not_enabled offer_management_not_enabled sms_not_enabled
missing_records too_many_records missing_id missing_to_number invalid_phone list_not_found missing_message_id
missing_offer_id message_not_found offer_not_found missing_phone_number missing_timestamp invalid_timestamp
missing_revenue contact_not_found save_error
missing_to missing_list_number missing_body invalid_list_number webhook_not_configured missing_messages
too_many_messages
missing_url_or_offer missing_list_identifier invalid_url no_domain_configured id_collision
missing_attribution_type invalid_revenue invalid_attribution_type
name_too_long invalid_external_platform invalid_payout_type invalid_status not_found server_error
missing_contacts no_billing_config no_payment_method payment_failed suspended too_many_contacts internal_error
not_sendable validation_failed provider_error payload_too_large
missing_custom_fields invalid_custom_fields list_contact_not_found too_many_phones
missing_name missing_message missing_offer_links message_too_long invalid_creative_type missing_link_placeholder
missing_offer_links_for_placeholders missing_offer_link_key missing_offer_link_offer_id
source_list_not_found invalid_group_operator empty_filter_group invalid_condition_type
invalid_time_field invalid_count_field invalid_revenue_field
invalid_time_operator invalid_count_operator invalid_custom_field_operator invalid_carrier_operator
invalid_timezone_operator invalid_revenue_operator invalid_time_unit
missing_time_value missing_count_value missing_custom_field_value missing_carrier_value missing_timezone_value
missing_revenue_value missing_custom_field_name
missing_send_type invalid_send_type missing_is_repeating missing_send_time missing_audiences missing_send_date
missing_start_date missing_end_date no_days_selected missing_blasts invalid_blast_percent missing_blast_message
audience_not_found schedule_complete
"""
"""The codes of the API page, sections 1, 3 and 6 to 13."""


def test_every_documented_code_is_asked_for() -> None:
    """The requests above have every documented code, and the table of routes tells of each of its own."""
    by_state = [case for _, case in (*BY_CONTROL, *BY_FAULT)]
    had = {case[4] for case in (*ALONE, *by_state, *OF_V1)} | {code for *_, code in OF_RECORDS}
    had |= {"save_error", "missing_api_key", "invalid_api_key", "filter_too_deep"}  # with tests of their own
    assert set(DOCUMENTED.split()) - had == set()
    of_routes = {code for route in (*ROUTES, *ROUTES_OF_V1) for code in route.codes.split()}
    assert of_routes - had == set()
