"""Changes an account while it is read: contacts come, leave, change and move; campaigns change their status.

Each operation is a plain function, which tests call with `Account.before_request`; `drifting` chooses them at random
from a seed.
"""

import random
from collections.abc import Callable

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Row


def sign_up(account: Account, row: Row) -> None:
    """Add a contact, in the order of signup_date."""
    account.add_contact(row)


def delete(account: Account, place: int) -> None:
    """Delete the contact at a place, newest first."""
    for row in account.contact_page(place, place + 1):
        account.remove_contact((row["phone_number"], row["list_id"]))


def update(account: Account, place: int) -> None:
    """Count one more send to the contact at a place."""
    for row in account.contact_page(place, place + 1):
        row["send_count"] += 1


def sign_up_again(account: Account, place: int, when: str) -> None:
    """Let the contact at a place sign up again, and move it to the place of its new date.

    Args:
        account: the account.
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
        account: the account.
        resource: creatives, audiences or schedules.
        place: of the row, from 0, in the account's order.
        status: the new status.
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


def _change_a_contact(account: Account, chance: random.Random, number: int) -> None:
    """A new contact, one fewer, one with other values, or one that signs up again.

    Args:
        account: with one contact or more.
        chance: chooses.
        number: a new contact's, which no other has.
    """
    place = chance.randrange(account.contact_count())
    kind = chance.choice(("sign up", "delete", "update", "again"))
    if kind == "delete":
        delete(account, place)
    elif kind == "update":
        update(account, place)
    elif kind == "again":
        sign_up_again(account, place, account.contact_page(0, 1)[0]["signup_date"])
    else:
        new = {"phone_number": f"+1999{number:07}", "revenue_total": 0.0, "conversion_count": 0}
        sign_up(account, {**account.contact_page(0, 1)[0], **new})


def drifting(rate: float, seed: int = 7) -> Callable[[int, Account], None]:
    """Return a `before_request` that changes the account before a share of its requests.

    Args:
        rate: average number of changes per request, up to 1.
        seed: of the random generator.
    """
    chance = random.Random(seed)  # noqa: S311 - no secrets here
    of_campaigns = random.Random(seed)  # noqa: S311 - contacts change alike, whatever campaigns there are

    def change(number: int, account: Account) -> None:
        if of_campaigns.random() < rate:
            _change_a_campaign(account, of_campaigns)
        if account.contact_count() and chance.random() < rate:
            _change_a_contact(account, chance, number)

    return change
