"""Changes to an account while it is read: contacts come, go, change and move; campaigns change their status.

Each operation is a plain function, for tests to script by `Account.before_request`; `drifting` draws them at
random from a seed.
"""

import random
from collections.abc import Callable

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Row


def sign_up(account: Account, row: Row) -> None:
    """A new contact, at the place that its signup_date gives it."""
    account.add_contact(row)


def delete(account: Account, place: int) -> None:
    """Delete the contact at a place, newest first."""
    for row in account.contact_page(place, place + 1):
        account.remove_contact((row["phone_number"], row["list_id"]))


def update(account: Account, place: int) -> None:
    """The contact at a place is sent to once more."""
    for row in account.contact_page(place, place + 1):
        row["send_count"] += 1


def sign_up_again(account: Account, place: int, when: str) -> None:
    """The contact at a place signs up again and moves to where its new date puts it.

    Args:
        account: whose contact it is.
        place: in the order of contacts, from 0.
        when: the new date, in ISO 8601.
    """
    for row in account.contact_page(place, place + 1):
        account.add_contact({**row, "signup_date": when})


STATUSES = {
    "creatives": ("active", "paused", "archived"),
    "audiences": ("active", "archived"),
    "schedules": ("draft", "off", "on", "complete", "archive"),
}


def set_status(account: Account, resource: str, place: int, status: str) -> None:
    """Give a creative, audience or schedule another status; a schedule's updated_at follows.

    Args:
        account: whose.
        resource: creatives, audiences or schedules.
        place: which, from 0, in the account's order.
        status: the new one.
    """
    row: Row = getattr(account, resource)[place]
    row["status"] = status
    if "updated_at" in row:
        row["updated_at"] = f"{account.clock():%Y-%m-%dT%H:%M:%SZ}"


def _change_a_campaign(account: Account, chance: random.Random) -> None:
    resource = chance.choice(list(STATUSES))
    count = len(getattr(account, resource))
    if count:
        set_status(account, resource, chance.randrange(count), chance.choice(STATUSES[resource]))


def drifting(rate: float, seed: int = 7) -> Callable[[int, Account], None]:
    """A `before_request` that changes the account before a share of its requests.

    Args:
        rate: how many changes a request brings on average, up to 1.
        seed: of the random generator.
    """
    chance = random.Random(seed)  # noqa: S311 - no secrets here
    of_campaigns = random.Random(seed)  # noqa: S311 - contacts change alike, whatever campaigns there are

    def change(number: int, account: Account) -> None:
        if of_campaigns.random() < rate:
            _change_a_campaign(account, of_campaigns)
        count = account.contact_count()
        if not count or chance.random() >= rate:
            return
        place = chance.randrange(count)
        kind = chance.choice(("sign up", "delete", "update", "again"))
        if kind == "delete":
            delete(account, place)
        elif kind == "update":
            update(account, place)
        else:
            newest = account.contact_page(0, 1)[0]
            if kind == "again":
                sign_up_again(account, place, newest["signup_date"])
            else:
                phone = f"+1999{number:07}"
                sign_up(
                    account, {**newest, "phone_number": phone, "revenue_total": 0.0, "conversion_count": 0}
                )

    return change
