"""Every dataset there is, listed explicitly: what is pulled, and what is pushed."""

from schemas.columns import Dataset
from schemas.contacts import CONTACTS
from schemas.history import CLICKS, HISTORY_REVENUE, SENDS
from schemas.lists import LISTS
from schemas.offers import OFFERS
from schemas.revenue import REVENUE

PULLED: dict[str, Dataset] = {dataset.name: dataset for dataset in (LISTS, OFFERS, CONTACTS, REVENUE)}
"""What `pull` reads, in the order that its rows refer to each other."""

PUSHED: dict[str, Dataset] = {dataset.name: dataset for dataset in (SENDS, CLICKS, HISTORY_REVENUE)}
"""What `push` sends, in the order that its rows refer to each other."""
