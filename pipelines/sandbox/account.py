"""The state of a local account in plain Python, which tests read as their oracle.

What does not belong here: HTTP (see `serving`), and the work of requests (see the folders of the resources).
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipelines.sandbox.replies import Row
from pipelines.sandbox.webhooks import Webhooks

Key = tuple[str, int]

API_KEY = "trk_" + "5andb0x0" * 4
"""The key of every local account."""


PRODUCTS = ("sms", "offer_management")
"""What an account may have bought."""


@dataclass
class Options:
    """Options for details that the vendor's documentation leaves open, and for tests.

    Attributes:
        partial_status: HTTP status of an import in which some records failed.
        count_invalid_phones: whether invalid_phones count inside error_count.
        sends_need_contact: whether to_number must be a contact.
        revenue_events: whether GET /revenue is served.
        unserved: resources that the account does not know, by the first part of their path: 404.
        not_enabled: resources of a product that the account does not have, in the same form: 403.
        size_counts_inactive: whether the size of an audience counts people who opted out.
        size_counts_rows: whether it counts people once for each of their lists.
        never_is_old: whether filters treat a missing time as a time long ago.
        created_status: HTTP status of a write that creates a row.
        wrapped: whether writes answer with `{success, creative: {...}}`, as the older pages show, or flat.
        upsert_reactivates: whether POST /contacts makes people active who opted out; otherwise it does not change
            them.
        upsert_moves: whether a signup_date that is sent replaces that of an existing contact.
        large_contact_sinks_batch: whether one contact of more than 4,000 bytes refuses the whole bulk call.
        duplicate_seconds: how long the same text to the same number is held back.
    """

    partial_status: int = 200
    count_invalid_phones: bool = True
    sends_need_contact: bool = False
    revenue_events: bool = False
    unserved: tuple[str, ...] = ()
    not_enabled: tuple[str, ...] = ()
    size_counts_inactive: bool = False
    size_counts_rows: bool = False
    never_is_old: bool = True
    created_status: int = 200
    wrapped: bool = False
    upsert_reactivates: bool = False
    upsert_moves: bool = False
    large_contact_sinks_batch: bool = True
    duplicate_seconds: float = 0.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Request:
    """One request in the log, with the status of its answer (0: no answer)."""

    method: str
    path: str
    query: dict[str, str]
    records: int | None
    status: int = 0


@dataclass
class Account:
    """Everything in the account. Contacts are kept oldest first, by sign-up date and arrival."""

    lists: list[Row] = field(default_factory=list)
    offers: list[Row] = field(default_factory=list)
    creatives: list[Row] = field(default_factory=list)
    audiences: list[Row] = field(default_factory=list)
    schedules: list[Row] = field(default_factory=list)
    sends: dict[str, Row] = field(default_factory=dict)
    clicks: dict[str, Row] = field(default_factory=dict)
    revenue: list[Row] = field(default_factory=list)
    messages: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    """Events of live messages and people, whether or not a webhook reported them."""
    webhooks: Webhooks | None = None
    options: Options = field(default_factory=Options)
    links: list[Row] = field(default_factory=list)
    consents: dict[str, Row] = field(default_factory=dict)
    """Evidence of sign-ups (ip_address, url), by phone/list_id; no read shows it."""
    opt_outs: dict[str, str] = field(default_factory=dict)
    """Why people are inactive, as far as the account knows, by phone/list_id; no read shows it."""
    validated: dict[str, float] = field(default_factory=dict)
    """Cost of validations of phone numbers, in dollars."""
    billing: str = ""
    """The code of refused paid validations (402); empty if there is a payment method."""
    products: set[str] = field(default_factory=lambda: set(PRODUCTS))
    domain: str | None = "lnk.example"
    """The domain of short links; None: not configured."""
    suspended: bool = False
    clock: Callable[[], datetime] = _now
    """The account's clock; tests set it."""
    log: list[Request] = field(default_factory=list)
    before_request: Callable[[int, "Account"], None] | None = None
    refuse: Callable[[str, Row], tuple[str, str] | None] | None = None
    """Called with (entity, record) of an import; returns (code, error) to make the record fail."""
    _order: list[tuple[str, int, Key]] = field(default_factory=list)
    _rows: dict[Key, Row] = field(default_factory=dict)
    _place: dict[Key, tuple[str, int]] = field(default_factory=dict)
    _arrivals: int = 0
    _revenue_ids: int = 0

    def new_revenue_id(self) -> str:
        """Return an id that no revenue event has or had."""
        if not self._revenue_ids:
            self._revenue_ids = max((_number_of(row) for row in self.revenue), default=0)
        self._revenue_ids += 1
        return f"rev_{self._revenue_ids:08}"

    def add_contact(self, row: Row) -> None:
        """Add a contact in the order of signup_date; with equal dates, the later arrival is newer."""
        key = (row["phone_number"], row["list_id"])
        self.remove_contact(key)
        self._arrivals += 1
        place = (row["signup_date"], self._arrivals)
        bisect.insort(self._order, (*place, key))
        self._rows[key] = row
        self._place[key] = place

    def remove_contact(self, key: Key) -> None:
        """Delete a contact, if it exists."""
        place = self._place.pop(key, None)
        if place is not None:
            del self._order[bisect.bisect_left(self._order, (*place, key))]
            del self._rows[key]

    def contact(self, key: Key) -> Row | None:
        """One contact."""
        return self._rows.get(key)

    def contacts(self) -> list[Row]:
        """All contacts, newest first."""
        return [self._rows[key] for *_, key in reversed(self._order)]

    def contact_page(self, start: int, stop: int) -> list[Row]:
        """Contacts number `start` to `stop` (exclusive, from 0), newest first."""
        count = len(self._order)
        first, last = max(count - stop, 0), max(count - start, 0)
        return [self._rows[key] for *_, key in reversed(self._order[first:last])]

    def contact_count(self) -> int:
        """Return the number of contacts."""
        return len(self._order)

    def contacts_of(self, phone: str) -> list[Row]:
        """The contacts of a phone number, one per list."""
        return [
            row for row in (self._rows.get((phone, item["id"])) for item in self.lists) if row is not None
        ]

    def list_of(self, number: object) -> Row | None:
        """Return the list with a number, without deleted lists."""
        return next(
            (row for row in self.lists if row["phone_number"] == number and row["status"] != "deleted"), None
        )

    def set_active(self, row: Row, active: bool) -> None:
        """Opt a contact in or out, and update the list's count."""
        if row["active"] != active:
            row["active"] = active
            for of_list in self.lists:
                if of_list["id"] == row["list_id"]:
                    of_list["contact_count"] += 1 if active else -1


def _number_of(event: Row) -> int:
    """Return the number at the end of a revenue event's id; 0 if there is none."""
    number = str(event.get("id")).rpartition("_")[2]
    return int(number) if number.isdecimal() else 0
