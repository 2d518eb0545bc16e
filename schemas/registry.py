"""Every dataset there is, listed explicitly: what is pulled, what is made of that, and what is pushed."""

from schemas.audiences import AUDIENCES
from schemas.columns import Dataset
from schemas.contacts import CONTACTS
from schemas.creatives import CREATIVE_LINKS, CREATIVES
from schemas.history import CLICKS, HISTORY_REVENUE, SENDS
from schemas.lists import LISTS
from schemas.offers import OFFERS
from schemas.revenue import REVENUE
from schemas.schedules import SCHEDULE_BLASTS, SCHEDULES

PULLED: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (LISTS, OFFERS, CONTACTS, REVENUE, CREATIVES, AUDIENCES, SCHEDULES)
}
"""What `pull` reads, in the order that its rows refer to each other."""

OPTIONAL = frozenset({"creatives", "audiences", "schedules"})
"""Those of them that an account need not serve: its API may be older, or the product not be enabled."""

BY_PRODUCT = OPTIONAL | {"offers"}
"""Those that are part of a product which an account need not have; contacts and lists are of every account."""

DERIVED: dict[str, Dataset] = {dataset.name: dataset for dataset in (CREATIVE_LINKS, SCHEDULE_BLASTS)}
"""Views over what is nested in pulled rows."""

PUSHED: dict[str, Dataset] = {dataset.name: dataset for dataset in (SENDS, CLICKS, HISTORY_REVENUE)}
"""What `push` sends, in the order that its rows refer to each other."""
