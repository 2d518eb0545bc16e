"""Reconciliation: what the ledger says was accepted, against what the API acknowledged, call by call.

What does not belong here: settling rows in doubt, and comparing with the contacts' totals; neither is done yet.
"""

from dataclasses import dataclass
from decimal import Decimal

from pipelines.push.ledger import existing_ledger
from pipelines.push.ledger_totals import Totals, totals
from pipelines.settings import Settings
from schemas.registry import PUSHED


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The books of one dataset, over every push on record.

    Attributes:
        dataset: its name.
        accepted: rows that are in the account through us, by the ledger.
        acknowledged: records that the API counted as taken in.
        skipped: records that it counted as there already; a row that was sent again is among them.
        in_doubt: rows without a usable answer.
        amount: revenue of the accepted rows, in the account's currency; 0 for other datasets.
        amount_acknowledged: what the API added up in its answers.
    """

    dataset: str
    accepted: int
    acknowledged: int
    skipped: int
    in_doubt: int
    amount: Decimal
    amount_acknowledged: Decimal

    @property
    def agrees(self) -> bool:
        """Whether both sides can be right: an accepted row was acknowledged, or skipped when sent again."""
        return (
            self.acknowledged <= self.accepted <= self.acknowledged + self.skipped
            and self.amount == self.amount_acknowledged
        )


def reconcile(settings: Settings) -> dict[str, Reconciliation]:
    """Compare for every dataset; all zero before the first push.

    Raises:
        StorageError: the ledger cannot be read.
    """
    found: dict[str, Totals] = {}
    with existing_ledger(settings) as ledger:
        if ledger:
            with ledger.begin() as connection:
                found = totals(connection)
    return {name: _compare(name, found.get(name, Totals())) for name in PUSHED}


def _compare(name: str, of: Totals) -> Reconciliation:
    unit = Decimal(10_000)
    return Reconciliation(
        dataset=name,
        accepted=of.accepted,
        acknowledged=of.success_count,
        skipped=of.duplicates_skipped,
        in_doubt=of.in_doubt,
        amount=of.amount / unit,
        amount_acknowledged=of.total_revenue / unit,
    )
