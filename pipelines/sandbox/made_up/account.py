"""Made-up accounts, the same for the same seed: no person, number or brand in them is real.

What does not belong here: creatives, audiences and schedules (see `campaigns`).
"""

import random
from datetime import UTC, datetime, timedelta

from pipelines.sandbox.account import Account
from pipelines.sandbox.made_up.campaigns import seed_campaigns
from pipelines.sandbox.replies import Row

_START = datetime(2024, 1, 1, tzinfo=UTC)
_NAMES = ("Ada", "Björk", "Chloé", "Dmitri", "Eşref", "Fumiko", "Gülşen", "Hà", "Iñigo", "Zoë")
_CARRIERS = ("Northwind Wireless", "Contoso Mobile", "Fabrikam Cellular", None)
_LINES = ("CELL PHONE", "CELL PHONE", "CELL PHONE", "VOIP", "LANDLINE", "FAKE", "UNKNOWN", None)
_ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", None)
_LIST_STATUSES = ("active", "active", "paused", "deleted", "suspended")
_OFFER_STATUSES = ("active", "paused", "archived")
_PLATFORMS = ("tune", "everflow", None)


def seed_account(contacts: int = 20_000, lists: int = 5, offers: int = 12, seed: int = 7) -> Account:
    """Make an account with contacts on several lists, offers in every status, some campaigns, and live revenue.

    Args:
        contacts: number of contacts, over all lists that are not deleted; some phone numbers are on two.
        lists: number of lists; with four or more, one is paused and one deleted.
        offers: number of offers, in every status and on every platform in turn.
        seed: of the random generator.
    """
    chance = random.Random(seed)  # noqa: S311 - made-up data
    account = Account()
    account.lists = [_list(number) for number in range(1, lists + 1)]
    account.offers = [_offer(number, chance) for number in range(1, offers + 1)]
    seed_campaigns(account, seed=seed)
    _add_contacts(account, contacts, chance)
    for row in account.lists:
        row["contact_count"] = sum(
            contact["active"] for contact in account.contacts() if contact["list_id"] == row["id"]
        )
    _earn(account, chance)
    return account


def _add_contacts(account: Account, contacts: int, chance: random.Random) -> None:
    open_lists = [row for row in account.lists if row["status"] != "deleted"]
    for number in range(contacts):
        # every tenth phone number is that of the contact before, on another list
        person = number - 1 if number % 10 == 9 else number
        row = _contact(person, open_lists[number % len(open_lists)], chance)
        row["signup_date"] = _naive(
            _START + timedelta(seconds=(number // 2) * 60)
        )  # pairs share a sign-up time
        account.add_contact(row)


def _contact(number: int, of_list: Row, chance: random.Random) -> Row:
    sends = chance.randrange(40)
    clicks = chance.randrange(sends // 4 + 1)
    last = _START + timedelta(days=400, minutes=number)
    return {
        "phone_number": f"+1555{number:07}",
        "list_number": of_list["phone_number"],
        "list_id": of_list["id"],
        "active": chance.random() < 0.9,
        "signup_date": "",
        "signup_method": "api" if chance.random() < 0.8 else None,
        "custom_fields": {
            "first_name": chance.choice(_NAMES),
            "zip": f"{chance.randrange(100_000):05}",
            "tier": chance.randrange(4),
        },
        "carrier": chance.choice(_CARRIERS),
        "line_type": chance.choice(_LINES),
        "timezone": chance.choice(_ZONES),
        "is_valid": chance.random() < 0.97,
        "send_count": sends,
        "click_count": clicks,
        "revenue_total": 0.0,
        "conversion_count": 0,
        "last_sent_at": _naive(last) if sends else None,
        "last_clicked_at": _naive(last + timedelta(hours=1)) if clicks else None,
        "in_workflow": chance.random() < 0.1,
    }


def _earn(account: Account, chance: random.Random) -> None:
    """Add live revenue: about every tenth contact has some, in amounts of two to four decimals."""
    for number, contact in enumerate(account.contacts()):
        if chance.random() > 0.1:
            continue
        amount = round(chance.uniform(0.5, 120), chance.choice((2, 2, 2, 4)))
        contact["revenue_total"] = amount
        contact["conversion_count"] = 1
        contact["last_revenue_at"] = _naive(_START + timedelta(days=401, seconds=number))
        account.revenue.append(
            {
                "id": account.new_revenue_id(),
                "message_id": f"{number:08x}",
                "offer_id": account.offers[number % len(account.offers)]["id"],
                "phone_number": contact["phone_number"],
                "list_id": contact["list_id"],
                "revenue": amount,
                "payout": None,
                "attribution_type": "sale",
                "timestamp": contact["last_revenue_at"],
            }
        )


def _list(number: int) -> Row:
    return {
        "id": number,
        "phone_number": f"+1555900{number:04}",
        "brand_name": f"Brand {number}",
        "list_name": f"List {number}",
        "list_type": ("lime", "infobip", "twilio", "cm")[number % 4],
        "status": _LIST_STATUSES[(number - 1) % len(_LIST_STATUSES)],
        "contact_count": 0,
        "created_at": _zoned(_START + timedelta(days=number)),
    }


def _offer(number: int, chance: random.Random) -> Row:
    platform = _PLATFORMS[number % len(_PLATFORMS)]
    return {
        "id": f"{chance.getrandbits(96):024x}",
        "name": f"Offer {number}: été",
        "tracking_url": f"https://example.com/o/{number}",
        "external_platform": platform,
        "external_id": str(1000 + number) if platform else None,
        "advertiser_id": f"adv_{number % 3}",
        "payout": round(chance.uniform(1, 60), 2),
        "payout_type": ("cpa", "cpc")[number % 2],
        "filter_bots": number % 2 == 0,
        "status": _OFFER_STATUSES[number % len(_OFFER_STATUSES)],
        "metadata": {"tier": number % 3} if number % 4 else {},
        "created_at": (_zoned if number % 4 else _naive)(_START + timedelta(hours=number)),
        "updated_at": _zoned(_START + timedelta(days=30, hours=number)),
        **({"slug": f"ofr_{number:06}"} if number % 3 != 1 else {}),
    }


def _naive(when: datetime) -> str:
    """Return a time without a zone, as for contacts and audiences."""
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def _zoned(when: datetime) -> str:
    """Return a time that ends in Z, as for lists, offers and schedules."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
