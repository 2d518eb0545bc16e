"""Made-up creatives, audiences and schedules, in every status and in the shapes that the documentation shows.

Rows vary as in the vendor's pages: with or without a slug, times with or without a zone, filters in either spelling,
links that name an offer by its id, its slug, or a placeholder without an offer. Some campaigns are broken on purpose:
they refer to paused, archived or missing rows.
"""

import random
from datetime import UTC, datetime, timedelta

from pipelines.sandbox.account import Account
from pipelines.sandbox.campaigns.creatives import estimate
from pipelines.sandbox.replies import Row

_START = datetime(2024, 2, 1, tzinfo=UTC)
_CREATIVE_STATUSES = ("active", "active", "active", "paused", "archived")
_AUDIENCE_STATUSES = ("active", "active", "active", "archived")
_SCHEDULE_STATUSES = ("on", "on", "draft", "off", "complete", "archive")
_TYPES = ("automated", "one_time", "welcome")
_TEXTS = (
    "Hi {{first_name}}, your offer is here: {{link1}}",
    "Save 20 % today only {{link1}} Reply STOP to end",
    "Nur heute: Gutschein für Sie – {{link1}}",  # noqa: RUF001 - forces UCS-2
    "🔥 Hot deal, {{first_name}}! {{link1}}",
    "Don’t miss it… {{link1}}",  # noqa: RUF001 - forces UCS-2
    "Win €50 [today] {{link1}} or see {{link2}}",
    (
        "Plain words that go on for longer than one segment can hold, as some people write them, with a first "
        "link {{link1}} in the middle of the text and a second one at its very end: {{link2}}"
    ),
)
_PLACEHOLDER = "offer_abc123"
"""The offer id in all examples of the documentation."""


def seed_campaigns(
    account: Account, creatives: int = 12, audiences: int = 8, schedules: int = 12, seed: int = 7
) -> None:
    """Replace an account's creatives, audiences and schedules.

    Args:
        account: with its lists and offers.
        creatives: how many; of five, three are active, one paused, one archived.
        audiences: how many; every fourth is archived.
        schedules: how many; of six, two are on, and one each draft, off, complete and archive.
        seed: of the random generator.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up data
    account.creatives = [_creative(number, account, chance) for number in range(1, creatives + 1)]
    account.audiences = [_audience(number, account, chance) for number in range(1, audiences + 1)]
    account.schedules = [_schedule(number, account, chance) for number in range(1, schedules + 1)]


def _creative(number: int, account: Account, chance: random.Random) -> Row:
    message = _TEXTS[number % len(_TEXTS)]
    links = _links(message, account, chance)
    characters, segments = estimate(message)
    created = _START + timedelta(hours=number)
    row = {
        "id": number,
        "name": f"Creative {number}",
        "message": message,
        "offer_links": links,
        "offers": _offers_of(links, account),
        "status": _CREATIVE_STATUSES[number % len(_CREATIVE_STATUSES)],
        "creative_type": _TYPES[number % len(_TYPES)],
        "character_count": characters
        - (17 if number % 11 == 10 else 0),  # the sums in the vendor's examples are wrong too
        "segment_count": segments,
        "created_at": _zoned(created) if number % 2 else _naive(created),
    }
    return row | ({"slug": f"crt_{number:06}"} if number % 3 else {})


def _links(message: str, account: Account, chance: random.Random) -> list[Row]:
    keys = [key for key in ("link1", "link2") if f"{{{{{key}}}}}" in message]
    return [_link(key, account, chance) for key in keys]


def _link(key: str, account: Account, chance: random.Random) -> Row:
    offer = chance.choice(account.offers) if account.offers else {"id": _PLACEHOLDER}
    kind = chance.random()
    if kind < 0.1:
        named = _PLACEHOLDER
    elif kind < 0.4:
        named = offer.get("slug") or offer["id"]
    else:
        named = offer["id"]
    url = offer.get("tracking_url") if chance.random() < 0.7 else None
    return {"key": key, "offer_id": named, "url": url, "url_params": {"sub1": key} if kind > 0.6 else {}}


def _offers_of(links: list[Row], account: Account) -> list[Row]:
    """The offers that links name, where there are such."""
    named = {link["offer_id"] for link in links}
    known = [offer for offer in account.offers if {offer["id"], offer.get("slug")} & named]
    return [{"id": offer["id"], "name": offer["name"]} for offer in known]


def _audience(number: int, account: Account, chance: random.Random) -> Row:
    size = chance.randrange(5_000) if number % 3 else None
    lists = [row["id"] for row in account.lists if row["status"] != "deleted"]
    return {
        "id": f"{0xA0D1E << 76 | number:024x}",
        "name": f"Audience {number}",
        "description": f"People no. {number}" if number % 2 else None,
        "source_lists": sorted(chance.sample(lists, min(number % 3, len(lists)))),
        "filter": _filter(number, lists),
        "cached_size": size,
        "cached_size_updated_at": None if size is None else _naive(_START + timedelta(days=number % 300)),
        "status": _AUDIENCE_STATUSES[number % len(_AUDIENCE_STATUSES)],
        "created_at": _naive(_START + timedelta(hours=number)),
    }


def _filter(number: int, lists: list[int]) -> Row:
    """Return a filter, of each kind in turn, in the older spelling (with groups) or the newer one (without)."""
    kind = "condition_type" if number % 2 else "conditionType"
    days = 7 + number % 90
    clicked = {kind: "time", "field": "last_clicked_at", "operator": "within", "value": days, "unit": "days"}
    groups: tuple[list[Row], ...] = (
        [clicked],
        [{kind: "count", "field": "send_count", "operator": "gte", "value": number % 40}],
        [{kind: "custom_field", "field": "tier", "operator": "eq", "value": number % 4}],
        [{kind: "carrier", "operator": "in", "value": ["Contoso Mobile", "Fabrikam Cellular"]}],
        [{kind: "timezone", "operator": "eq", "value": "America/Chicago"}],
        [{kind: "revenue", "field": "revenue_total", "operator": "gt", "value": number % 50}],
        [{kind: "on_dnc", "operator": "eq", "value": False}, {**clicked, "operator": "not_within"}],
        [
            {kind: "time", "field": "last_sent_at", "operator": "exists"},
            {kind: "revenue", "field": "has_revenue", "operator": "eq", "value": True},
        ],
    )
    conditions = groups[number % len(groups)]
    if number % 2:
        inner = {"operator": "OR", "conditions": [clicked, *groups[1]], "groups": []}
        return {"operator": "AND", "conditions": conditions, "groups": [inner]}
    if number % 4 == 0 and lists:
        conditions = [{**one, "listId": lists[0]} for one in conditions]
    return {"operator": "OR" if number % 4 else "AND", "conditions": conditions}


def _schedule(number: int, account: Account, chance: random.Random) -> Row:
    repeating, blast = number % 2 == 0, number % 4 != 0
    first = (_START + timedelta(days=300 + number)).date()
    changed = _START + timedelta(days=number, minutes=5)
    return {
        "id": f"{0x5C4ED << 76 | number:024x}",
        "name": f"Schedule {number}",
        "status": _SCHEDULE_STATUSES[number % len(_SCHEDULE_STATUSES)],
        "send_type": "blast" if blast else "automated",
        "source_lists": [row["id"] for row in account.lists[: number % 3]],
        "audiences": _audiences_of(number, account, chance),
        "is_repeating": repeating,
        "send_time": f"{number * 3 % 24:02}:{number * 15 % 60:02}",
        "send_date": None if repeating else f"{first}",
        "start_date": f"{first}" if repeating else None,
        "end_date": f"{first + timedelta(days=60)}" if repeating else None,
        "days_of_week": [day % (number % 3 + 1) == 0 for day in range(7)] if repeating else None,
        "skip_within_hours": (0, 12, 24)[number % 3],
        "use_local_time": number % 3 == 0,
        "filter_bots": number % 5 == 0,
        "is_mms": number % 11 == 0,
        "is_cto": False,
        "automated_percent": None if blast else 100,
        "blasts": _blasts(number, account, chance) if blast else [],
        "created_at": _zoned(_START + timedelta(days=number)),
        "updated_at": _zoned(changed),
    }


def _audiences_of(number: int, account: Account, chance: random.Random) -> list[str]:
    """Return one to three audiences; for every ninth schedule, one that does not exist."""
    ids = [row["id"] for row in account.audiences]
    some = chance.sample(ids, min(1 + number % 3, len(ids)))
    return [*some, "f" * 24] if number % 9 == 0 else some


def _blasts(number: int, account: Account, chance: random.Random) -> list[Row]:
    shares = ([100], [50, 50], [34, 33, 33])[number % 3]
    return [_blast(place, share, number, account, chance) for place, share in enumerate(shares)]


def _blast(place: int, share: int, number: int, account: Account, chance: random.Random) -> Row:
    message = _TEXTS[(number + place) % len(_TEXTS)]
    links = [
        {name: link[name] for name in ("key", "offer_id", "url_params")}
        for link in _links(message, account, chance)
    ]
    named = "ABC"[place] if number % 2 else None
    image = "https://example.com/image.png" if number % 11 == 0 else None
    return {
        "message": message,
        "percent_audience": share,
        "offer_links": links,
        "variant_name": named,
        "mms_image_url": image,
    }


def _naive(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def _zoned(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
