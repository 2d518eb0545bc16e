"""Compares what the ledger has as accepted with what the API acknowledged, by dataset.

What does not belong here: the contacts' totals (`reconcile`).
"""

from dataclasses import dataclass
from decimal import Decimal

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.sums import Sums, sums
from schemas.registry import PUSHED
from schemas.values.money import amount_of


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of one dataset, over every push on record.

    Attributes:
        dataset: its name.
        accepted: rows that are in the account through us, by the ledger.
        settled: accepted rows that a reading of the contacts or a person settled, and no answer acknowledged.
        acknowledged: records that the API counted as accepted.
        skipped: records that the API counted as there already, among them rows that were sent again.
        in_doubt: rows without a usable answer.
        amount: revenue of the accepted rows, in the account's currency; 0 for other datasets.
        amount_settled: revenue of the settled rows.
        amount_in_doubt: revenue of the rows in doubt.
        amount_acknowledged: the sum of revenue in the API's answers; None if an answer did not give it.
    """

    dataset: str
    accepted: int
    settled: int
    acknowledged: int
    skipped: int
    in_doubt: int
    amount: Decimal
    amount_settled: Decimal
    amount_in_doubt: Decimal
    amount_acknowledged: Decimal | None

    @property
    def has_rows(self) -> bool:
        """Whether there are rows to compare."""
        return bool(self.accepted or self.acknowledged or self.skipped or self.in_doubt)

    @property
    def agrees(self) -> bool:
        """Whether both sides can be right.

        Each accepted row was acknowledged, or skipped when it was sent again, or settled. If a call failed in part
        without naming rows, its acknowledged rows may be settled or in doubt now.
        """
        rows = (
            self.accepted - self.settled - self.skipped <= self.acknowledged <= self.accepted + self.in_doubt
        )
        if self.amount_acknowledged is None:
            return rows
        least, most = self.amount - self.amount_settled, self.amount + self.amount_in_doubt
        return rows and least <= self.amount_acknowledged <= most


def balances(ledger: Ledger | None) -> dict[str, Balance]:
    """Return the balance of every dataset; all zero before the first push.

    Raises:
        StorageError: the ledger cannot be read.
    """
    found: dict[str, Sums] = {}
    if ledger:
        with ledger.begin() as connection:
            found = sums(connection)
    return {name: _of(name, found.get(name, Sums())) for name in PUSHED}


def _of(name: str, total: Sums) -> Balance:
    return Balance(
        dataset=name,
        accepted=total.accepted,
        settled=total.settled,
        acknowledged=total.success_count,
        skipped=total.duplicates_skipped,
        in_doubt=total.in_doubt,
        amount=amount_of(total.amount),
        amount_settled=amount_of(total.amount_settled),
        amount_in_doubt=amount_of(total.amount_in_doubt),
        amount_acknowledged=None if total.total_revenue is None else amount_of(total.total_revenue),
    )
