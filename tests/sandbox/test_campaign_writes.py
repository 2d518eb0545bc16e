"""What writes of campaigns do in the account: creatives, audiences, offers, schedules, links."""

import httpx
from bodies import LIST, sent

from pipelines.sandbox import Account, Options


def test_a_creative_lives(written: tuple[Account, httpx.Client]) -> None:
    """A creative is made flat with its counts, changed by the given fields only, and archived."""
    account, http = written
    offer = account.offers[0]
    links = [{"key": "link1", "offer_id": offer["id"], "url_params": {"s": "1"}}]
    made = sent(http, "POST", "/creatives", name="A", message="Go {{link1}}", offer_links=links)
    assert (made["character_count"], made["segment_count"]) == (len("Go ") + 23 + 34, 1)
    assert (made["status"], made["creative_type"], made["offers"][0]["id"]) == (
        "active",
        "automated",
        offer["id"],
    )
    path = f"/creatives/{made['id']}"
    changed = sent(http, "PUT", path, message="Go " + "x" * 120 + " {{link1}}", id=7)
    assert (changed["id"], changed["name"], changed["segment_count"]) == (made["id"], "A", 2)
    account.options = Options(wrapped=True)
    assert sent(http, "PUT", path, status="paused")["creative"]["status"] == "paused"
    assert sent(http, "DELETE", path) == {"success": True, "archived": True}
    assert http.get(path).json()["status"] == "archived"
    assert sent(http, "PUT", path, status="active")["success"]


def test_an_audience_lives(written: tuple[Account, httpx.Client]) -> None:
    """An audience is made in camelCase, loses its size only by a filter that differs, and is archived."""
    account, http = written
    some = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 5}
    wanted = {"operator": "AND", "conditions": [some]}
    made = sent(http, "POST", "/audiences", name="A", filter=wanted, source_lists=[1])
    assert made["filter"]["conditions"] == [
        {"conditionType": "count", **{k: some[k] for k in list(some)[1:]}}
    ]
    assert (made["filter"]["groups"], made["cached_size"]) == ([], None)
    path = f"/audiences/{made['id']}"
    size = http.get(f"{path}/size").json()["size"]
    phones = {row["phone_number"] for row in account.contacts() if row["list_id"] == 1 and row["active"]}
    assert 0 < size <= len(phones)
    assert sent(http, "PUT", path, name="B", filter=wanted)["cached_size"] == size
    other = {"operator": "OR", "groups": [{**wanted, "groups": []}]}
    assert sent(http, "PUT", path, filter=other)["cached_size"] is None
    assert http.get(f"{path}/size").json()["size"] == size
    assert sent(http, "DELETE", path)["archived"]
    assert made["id"] not in {row["id"] for row in http.get("/audiences").json()["audiences"]}


def test_an_offer_lives(written: tuple[Account, httpx.Client]) -> None:
    """An offer has its defaults, merges metadata, and comes back from the archive."""
    account, http = written
    made = sent(http, "POST", "/offers", name="A", tracking_url="https://example.com", metadata={"a": "1"})
    assert (made["payout"], made["payout_type"], made["filter_bots"], made["status"]) == (
        0,
        "cpa",
        False,
        "active",
    )
    path = f"/offers/{made['id']}"
    assert sent(http, "PUT", path, metadata={"b": "2"})["metadata"] == {"a": "1", "b": "2"}
    assert sent(http, "DELETE", path)["archived"]
    assert sent(http, "PUT", path, status="active")["status"] == "active"
    assert account.offers[-1]["id"] == made["id"]


def test_a_schedule_lives(written: tuple[Account, httpx.Client]) -> None:
    """A schedule is a draft with blasts without ids, is changed while it is not complete, and archived."""
    account, http = written
    audience = next(row["id"] for row in account.audiences if row["status"] == "active")
    blast = {"message": "Hi", "percent_audience": 100, "creative_id": 5, "id": 9}
    answer = sent(
        http, "POST", "/schedules", name="A", send_type="blast", audiences=[audience], is_repeating=False,
        send_time="09:30", send_date="2026-04-01", blasts=[blast],
    )  # fmt: skip
    made = answer["schedule"]
    assert (answer["success"], made["status"], made["updated_at"]) == (True, "draft", "2026-03-01T12:00:00Z")
    assert made["blasts"][0].keys() == {
        "message", "percent_audience", "offer_links", "variant_name", "mms_image_url"
    }  # fmt: skip
    path = f"/schedules/{made['id']}"
    assert sent(http, "PUT", path, status="on")["schedule"]["status"] == "on"
    sent(http, "DELETE", path)
    assert http.get("/schedules", params={"status": "archive"}).json()["schedules"][-1]["id"] == made["id"]
    assert sent(http, "PUT", path, status="complete")["schedule"]["status"] == "complete"
    assert http.put(path, json={"status": "on"}).json()["code"] == "schedule_complete"


def test_each_link_is_another(written: tuple[Account, httpx.Client]) -> None:
    """Links are in camelCase, each call makes another, and an offer wins over a URL."""
    account, http = written
    offer = next(row for row in account.offers if row["status"] == "active" and row["external_id"])
    made = [sent(http, "POST", "/links", externalOfferId=offer["external_id"], listId=1) for _ in range(2)]
    assert made[0]["linkId"] != made[1]["linkId"]
    assert made[0].keys() == {"shortUrl", "linkId", "clickTrackerUrl", "destinationUrl", "domain", "offerId"}
    assert made[0]["domain"].startswith("https://")
    short = sent(
        http,
        "POST",
        "/links/shorten",
        url="https://example.org",
        offerId=offer["id"],
        phoneNumber=LIST,
        tag="x",
    )
    assert short.keys() == {"shortUrl", "linkId", "destinationUrl", "domain", "offerId", "filterBots"}
    assert (short["destinationUrl"], short["domain"]) == (offer["tracking_url"], "lnk.example")
    assert account.links[-1]["metadata"] == {"tag": "x"}
