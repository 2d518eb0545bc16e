"""Reads of creatives, audiences and schedules: defaults, filters, pages, and the documented variants of rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sandbox.plain_clients import client

from pipelines.sandbox import Account, drifting, running, seed_account, seed_campaigns

Row = dict[str, Any]


@pytest.fixture(scope="module")
def account() -> Account:
    """A small account with hundreds of campaigns."""
    account = seed_account(contacts=200)
    seed_campaigns(account, creatives=230, audiences=120, schedules=110)
    return account


@pytest.fixture(scope="module")
def http(account: Account) -> Iterator[httpx.Client]:
    """A client of the account."""
    with running(account) as server, client(server.url) as asking:
        yield asking


def everything(http: httpx.Client, resource: str, **query: str) -> list[Row]:
    """All pages of a read."""
    rows: list[Row] = []
    for page in range(1, 100):
        reply = http.get(f"/{resource}", params={**query, "page": page, "per_page": 1000}).json()
        rows += reply[resource]
        assert reply["pagination"]["per_page"] == 100
        if page >= reply["pagination"]["total_pages"]:
            assert len(rows) == reply["pagination"]["total"]
            return rows
    raise AssertionError(resource)


@pytest.mark.parametrize(
    ("resource", "default", "others"),
    [
        ("creatives", {"active"}, {"paused", "archived"}),
        ("audiences", {"active"}, {"archived"}),
        ("offers", {"active", "paused"}, {"archived"}),
    ],
)
def test_pages_by_status(
    http: httpx.Client, account: Account, resource: str, default: set[str], others: set[str]
) -> None:
    """By default a read has only some statuses; with one read for each other status it is all rows, once."""
    rows = everything(http, resource)
    assert {row["status"] for row in rows} == default
    for status in others:
        more = everything(http, resource, status=status)
        assert {row["status"] for row in more} == {status}
        rows += more
    kept = getattr(account, resource)
    assert sorted(rows, key=lambda row: str(row["id"])) == sorted(kept, key=lambda row: str(row["id"]))


def test_creatives_by_type(http: httpx.Client, account: Account) -> None:
    """creative_type and status choose together."""
    wanted = [
        row for row in account.creatives if (row["status"], row["creative_type"]) == ("paused", "welcome")
    ]
    assert everything(http, "creatives", status="paused", creative_type="welcome") == wanted != []


def test_schedules_come_at_once(http: httpx.Client, account: Account) -> None:
    """Schedules have no pages; those of the archive come on request."""
    reply = http.get("/schedules", params={"per_page": 10}).json()
    assert list(reply) == ["schedules"]
    assert {row["status"] for row in reply["schedules"]} == {"draft", "off", "on", "complete"}
    archive = http.get("/schedules", params={"status": "archive"}).json()["schedules"]
    assert len(reply["schedules"]) + len(archive) == len(account.schedules) == 110


@pytest.mark.parametrize("resource", ["creatives", "audiences", "schedules", "offers"])
def test_one_row_by_id(http: httpx.Client, account: Account, resource: str) -> None:
    """A row can be had by its id whatever its status; an id that is not there is 404 not_found."""
    for row in getattr(account, resource)[:6]:
        found = http.get(f"/{resource}/{row['id']}")
        assert (found.status_code, found.json()["status"]) == (200, row["status"])
    missing = http.get(f"/{resource}/0")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_rows_vary_as_documented(account: Account) -> None:
    """Slugs, times with and without a zone, links by id, slug and placeholder, unknown sizes, both spellings."""
    ids, slugs = ({row.get(name) for row in account.offers} for name in ("id", "slug"))
    links = [link["offer_id"] for row in account.creatives for link in row["offer_links"]]
    kinds = {link in ids or (link in slugs and "slug") or link for link in links}
    assert kinds == {True, "slug", "offer_abc123"}
    assert {"slug" in row for row in account.creatives} == {True, False}
    assert {row["created_at"].endswith("Z") for row in account.creatives} == {True, False}
    assert None in {row["cached_size"] for row in account.audiences}
    conditions = [row["filter"]["conditions"][0] for row in account.audiences]
    assert {"condition_type" in one for one in conditions} == {True, False}
    assert {"groups" in row["filter"] for row in account.audiences} == {True, False}
    assert all(
        sum(blast["percent_audience"] for blast in row["blasts"]) in (0, 100) for row in account.schedules
    )


def test_an_audience_alone_is_in_camel_case(http: httpx.Client, account: Account) -> None:
    """GET /audiences/{id} writes conditionType and `groups` in every group, whatever the list shows."""

    def names(group: Row) -> set[str]:
        inner = [names(one) for one in group["groups"]]
        return {name for one in group["conditions"] for name in one}.union(*inner)

    found = [http.get(f"/audiences/{row['id']}").json()["filter"] for row in account.audiences[:16]]
    assert not {"condition_type", "list_id"} & {name for group in found for name in names(group)}


def test_the_size_is_counted_and_written(http: httpx.Client, account: Account) -> None:
    """GET /audiences/{id}/size counts each active person once, writes the size, and is in the log."""
    audience = account.audiences[0]
    audience["source_lists"] = [account.lists[0]["id"], account.lists[1]["id"]]
    wanted = [
        row for row in account.contacts() if row["list_id"] in audience["source_lists"] and row["active"]
    ]
    account.clock = lambda: datetime(2025, 2, 24, 2, tzinfo=UTC)
    since = (account.clock() - timedelta(days=20)).isoformat()[:19]
    clicked = {
        "condition_type": "time",
        "field": "last_clicked_at",
        "operator": "within",
        "value": 20,
        "unit": "days",
    }
    tier = {"conditionType": "custom_field", "field": "tier", "operator": "in", "value": [0, 1]}
    audience["filter"] = {
        "operator": "AND",
        "conditions": [tier],
        "groups": [{"operator": "OR", "conditions": [clicked]}],
    }
    people = {
        row["phone_number"]
        for row in wanted
        if row["custom_fields"]["tier"] in (0, 1) and (row["last_clicked_at"] or "") >= since
    }
    asked = http.get(f"/audiences/{audience['id']}/size").json()
    assert asked == {
        "audience_id": audience["id"],
        "size": len(people),
        "calculated_at": "2025-02-24T02:00:00Z",
    }
    assert 0 < len(people) == audience["cached_size"]
    assert audience["cached_size_updated_at"] == "2025-02-24T02:00:00"
    assert account.log[-1].path.endswith("/size")


def test_campaigns_drift() -> None:
    """With drift, creatives, audiences and schedules change their status, alike for the same seed."""

    def after(seed: int) -> list[str]:
        drifted = seed_account(contacts=5)
        change = drifting(1, seed)
        for number in range(40):
            change(number, drifted)
        return [row["status"] for row in (*drifted.creatives, *drifted.audiences, *drifted.schedules)]

    first = seed_account(contacts=5)
    before = [row["status"] for row in (*first.creatives, *first.audiences, *first.schedules)]
    assert after(1) == after(1) != before
