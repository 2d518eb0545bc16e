"""The totals of a contact in a reading, as the ledger keeps them.

What does not belong here: reading contacts (`pipelines.pull.derived.contact_totals`), and looking one up in a reading
(`pipelines.push.stage.totals`).
"""

from typing import NamedTuple


class Totals(NamedTuple):
    """The totals of a contact, or of all contacts with one phone number.

    Attributes:
        amount: revenue_total in ten-thousandths of the account's currency.
        conversions: conversion_count.
    """

    amount: int
    conversions: int


class Found(NamedTuple):
    """What a reading found for a phone number and a list; None for what it did not find.

    Attributes:
        on_list: the totals on the list.
        on_phone: the totals over all lists of the number.
        since: when it signed up on the list; ISO 8601, UTC.
        phone_since: when the number last signed up on any list.
    """

    on_list: Totals | None
    on_phone: Totals | None
    since: str | None
    phone_since: str | None
