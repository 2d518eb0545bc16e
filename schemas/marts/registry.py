"""All marts: the views for analysts, in the order in which they are made.

What does not belong here: their columns, which are in the module of their subject.
"""

from schemas.columns import Dataset
from schemas.marts.campaigns import CAMPAIGN_MARTS
from schemas.marts.contacts import CONTACT_MARTS
from schemas.marts.freshness import FRESHNESS_MARTS
from schemas.marts.imports import IMPORT_MARTS
from schemas.marts.lists import LIST_MARTS
from schemas.marts.offers_and_revenue import REVENUE_MARTS
from schemas.marts.webhooks import WEBHOOK_MARTS

MARTS: dict[str, Dataset] = {
    declared.name: declared
    for declared in (
        *LIST_MARTS,
        *CONTACT_MARTS,
        *IMPORT_MARTS,
        *REVENUE_MARTS,
        *FRESHNESS_MARTS,
        *WEBHOOK_MARTS,
        *CAMPAIGN_MARTS,
    )
}
"""In an order in which each one reads only those before it."""
