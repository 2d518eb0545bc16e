"""Every mart there is: the views for analysts, in the order in which they are made.

What does not belong here: their columns, which stand in the module of their subject.
"""

from schemas.columns import Dataset
from schemas.marts.activity import ACTIVITY_MARTS
from schemas.marts.campaigns import CAMPAIGN_MARTS
from schemas.marts.contacts import CONTACT_MARTS
from schemas.marts.imports import IMPORT_MARTS
from schemas.marts.webhooks import WEBHOOK_MARTS
from schemas.own_tables.revenue_readings import RESTATED

MARTS: dict[str, Dataset] = {
    declared.name: declared
    for declared in (
        *ACTIVITY_MARTS,
        *IMPORT_MARTS,
        *CONTACT_MARTS,
        RESTATED,
        *WEBHOOK_MARTS,
        *CAMPAIGN_MARTS,
    )
}
"""In an order in which each one reads only those before it."""
