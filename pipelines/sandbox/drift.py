"""Changes to contacts while they are read: sign-ups, deletions, updates, moves.

Each operation is a plain function, for tests to script by `Account.before_request`; `drifting` draws them at
random from a seed.
"""

import random
from collections.abc import Callable

from pipelines.sandbox.account import Account, Row


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
    """The contact at a place signs up again and moves to where its new date puts it."""
    for row in account.contact_page(place, place + 1):
        account.add_contact({**row, "signup_date": when})


def drifting(rate: float, seed: int = 7) -> Callable[[int, Account], None]:
    """A `before_request` that changes the account before a share of its requests.

    Args:
        rate: how many changes a request brings on average, up to 1.
        seed: of the random generator.
    """
    chance = random.Random(seed)  # noqa: S311 - no secrets here

    def change(number: int, account: Account) -> None:
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
