"""What a reading of the contacts has of one of them, as the ledger keeps it.

What does not belong here: reading contacts (`pipelines.pull.derived.contact_totals`), and looking one up in a reading
(`pipelines.push.stage.totals`).
"""

from typing import NamedTuple


class Totals(NamedTuple):
    """Of a contact, or of all contacts with one phone number.

    Attributes:
        amount: revenue_total in ten-thousandths of the account's currency.
        conversions: conversion_count.
    """

    amount: int
    conversions: int


class Found(NamedTuple):
    """What a reading has of a phone number and list; None where it has none.

    Attributes:
        on_list: its totals.
        on_phone: those over all lists of the number.
        since: when it signed up; ISO 8601, UTC.
        phone_since: when the number last signed up on a list.
    """

    on_list: Totals | None
    on_phone: Totals | None
    since: str | None
    phone_since: str | None
