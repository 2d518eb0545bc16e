"""All datasets, listed explicitly: pulled, derived and pushed."""

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
"""Datasets that `pull` reads, in the order of their references."""

OPTIONAL = frozenset({"creatives", "audiences", "schedules"})
"""Pulled datasets that an account may not serve, since its API is older or the product is not enabled."""

BY_PRODUCT = OPTIONAL | {"offers"}
"""Pulled datasets of products that an account may not have; every account has contacts and lists."""

DERIVED: dict[str, Dataset] = {dataset.name: dataset for dataset in (CREATIVE_LINKS, SCHEDULE_BLASTS)}
"""Views over lists inside pulled rows."""

PUSHED: dict[str, Dataset] = {dataset.name: dataset for dataset in (SENDS, CLICKS, HISTORY_REVENUE)}
"""Datasets that `push` sends, in the order of their references."""
