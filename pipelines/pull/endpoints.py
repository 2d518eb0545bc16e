"""The endpoint of each pulled dataset, and the fields that tell its rows apart in replies.

What does not belong here: the columns (in `schemas`) and how pages are read (in `read.scan`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One documented read.

    Attributes:
        path: its path below the base URL.
        envelope: the key of the reply that holds the rows.
        largest: the most rows on one page; 0 where the reply is not paged.
        identity: the fields that tell rows apart and fix their place in the order. A contact that signs up again has
            another place in the order, so its date is part of the identity.
        filters: one query each; the rows of all queries together are the dataset.
        order: the field by which rows come newest first, if documented.
        states: queries by state that together cover the first filter, to check whether it gives all rows.
    """

    path: str
    envelope: str
    largest: int
    identity: tuple[str, ...]
    filters: tuple[Mapping[str, str], ...] = ({},)
    order: str | None = None
    states: tuple[Mapping[str, str], ...] = ()


CONTACTS = Endpoint(
    "/contacts",
    "contacts",
    1000,
    ("phone_number", "list_id", "signup_date"),
    order="signup_date",
    states=({"active": "true"}, {"active": "false"}),
)
"""At most 1000 a page, newest signup_date first (/api-reference/v2/contacts/list-contacts)."""

LISTS = Endpoint("/lists", "lists", 0, ("id",), ({}, {"status": "deleted"}))
"""No pagination object; all but deleted by default (/api-reference/v2/lists/list-all)."""

OFFERS = Endpoint(
    "/offers",
    "offers",
    100,
    ("id",),
    ({}, {"status": "archived"}),
    states=({"status": "active"}, {"status": "paused"}),
)
"""At most 100 a page; all but archived by default (/api-reference/v2/offers/list-offers)."""

REVENUE = Endpoint("/revenue", "revenue", 100, ("id",))
"""Not documented; if it answers, it is read like other paged reads (at most 100 a page)."""

CREATIVES = Endpoint(
    "/creatives",
    "creatives",
    100,
    ("id",),
    ({"status": "active"}, {"status": "paused"}, {"status": "archived"}),
)
"""At most 100 a page; the active ones by default (/api-reference/v2/creatives/list-creatives)."""

AUDIENCES = Endpoint("/audiences", "audiences", 100, ("id",), ({}, {"status": "archived"}))
"""At most 100 a page; all but archived by default (/api-reference/v2/audiences/list-audiences)."""

SCHEDULES = Endpoint("/schedules", "schedules", 0, ("id",), ({}, {"status": "archive"}))
"""No pages; all but those in archive by default (/api-reference/v2/schedules/list-schedules)."""

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "lists": LISTS,
        "offers": OFFERS,
        "contacts": CONTACTS,
        "revenue": REVENUE,
        "creatives": CREATIVES,
        "audiences": AUDIENCES,
        "schedules": SCHEDULES,
    }
)
"""Endpoints by the names of their datasets."""
